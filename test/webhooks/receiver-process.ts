/** The receiver program as a process of a test's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { machine } from '../machine.ts';
import { headersOf, secret } from './deliveries.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');

export interface Receiver {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly metricsUrl: string;
  readonly ended: Promise<number | null>;
  post(body: string, headers?: Record<string, string>): Promise<{ status: number; text: string }>;
}

/** A receiver of its own on a Unix socket, once it listens. */
export async function startReceiver(
  folder: string,
  redisUrl: string,
  extra: { args?: string[]; env?: Record<string, string>; socket?: string } = {},
): Promise<Receiver> {
  const port = await freePort();
  const socketPath = extra.socket ?? join(folder, 'r.sock');
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'src/receiver.ts', ...(extra.args ?? [])],
    {
      cwd: root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        ...machine,
        BUILDKITE_ORGANIZATION: 'acme',
        BUILDKITE_WEBHOOK_TOKEN: secret,
        KITEMIRROR_DATA: join(folder, 'data'),
        KITEMIRROR_RECEIVER_LISTEN: `unix:${socketPath}`,
        KITEMIRROR_METRICS_LISTEN: `127.0.0.1:${port}`,
        REDIS_URL: redisUrl,
        ...extra.env,
      },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const post: Receiver['post'] = (body, headers = headersOf(body)) =>
    new Promise((resolve, reject) => {
      const sent = request({ socketPath, path: '/-/webhooks/buildkite', method: 'POST', headers, agent });
      sent.on('error', reject).on('response', (answer: IncomingMessage) => {
        answer
          .setEncoding('utf8')
          .toArray()
          .then((parts) => resolve({ status: answer.statusCode ?? 0, text: parts.join('') }), reject);
      });
      sent.end(body);
    });
  const isThere = (): boolean =>
    output.includes('receiver ready') || child.exitCode !== null || child.signalCode !== null;
  await until('the receiver is ready or gone', isThere, 60_000);
  return { child, output: () => output, metricsUrl: `http://127.0.0.1:${port}`, ended, post };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}
