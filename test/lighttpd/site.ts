/** A mirror's data folder made by hand, the real Lighttpd before it, and tiny servers where receiver and gateway would be. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';
import { machine } from '../machine.ts';
import { ask } from './ask.ts';
import { until } from './until.ts';

export const root = join(import.meta.dirname, '..', '..');
export const place: Place = { organization: 'acme', folder: 'web', number: 42 };
export const build = '/acme/web/builds/42';
export const settledJob = '0190a1b2-0000-4000-8000-000000000001';
export const openJob = '0190a1b2-0000-4000-8000-000000000002';

/** What a back end was asked. */
export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface BackEnd {
  readonly heard: Heard[];
  /** How it answers the next requests; the default is 200 with its own name. */
  answer(handler: (request: IncomingMessage, response: ServerResponse) => void): void;
  close(): Promise<void>;
}

export interface Site {
  readonly port: number;
  readonly paths: DataPaths;
  readonly receiver: BackEnd;
  readonly gateway: BackEnd;
  /** The program that runs Lighttpd. */
  readonly child: ChildProcess;
  /** All that it said. */
  said(): string;
  /** The lines of the access log once `count` of them have this in their address. */
  logged(part: string, count?: number): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Bytes as the worker stores them: a blob, and a link to it. An earlier link of that name is replaced. */
export function put(paths: DataPaths, file: string, content: string | Buffer): void {
  const blob = join(paths.blobs, Math.random().toString(16).slice(2));
  mkdirSync(dirname(blob), { recursive: true });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(blob, content);
  linkSync(blob, `${blob}.link`);
  renameSync(`${blob}.link`, file);
}

export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startBackEnd(name: string, socket: string): Promise<BackEnd> {
  const heard: Heard[] = [];
  const usual = (_: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${name}\n`);
  };
  let handler = usual;
  const listen = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    heard.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
    handler(request, response);
  };
  // A client that goes away while it sends is no fault of this server's.
  const server: Server = createServer(
    (request, response) => void listen(request, response).catch(() => response.destroy()),
  );
  mkdirSync(dirname(socket), { recursive: true });
  server.listen(socket);
  await once(server, 'listening');
  return {
    heard,
    answer: (next) => (handler = next),
    close: async () => {
      server.closeAllConnections();
      server.close();
      if (server.listening) await once(server, 'close');
    },
  };
}

/** The least that Lighttpd's program must be told. */
export function settings(data: string, port: number, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    ...machine,
    BUILDKITE_ORGANIZATION: 'acme',
    KITEMIRROR_DATA: data,
    KITEMIRROR_LISTEN: `127.0.0.1:${port}`,
    KITEMIRROR_URL: `http://127.0.0.1:${port}`,
    ...more,
  };
}

export function spawnLighttpd(env: NodeJS.ProcessEnv): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, [join(root, 'src', 'lighttpd.ts'), '--supervised'], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, said: () => output };
}

export async function startSite(more: NodeJS.ProcessEnv = {}): Promise<Site> {
  const data = mkdtempSync(join(tmpdir(), 'kitemirror-site-'));
  const paths = dataPaths(data);
  const run = join(data, 'run');
  const receiver = await startBackEnd('receiver', join(run, 'receiver.sock'));
  const gateway = await startBackEnd('gateway', join(run, 'gateway.sock'));
  const port = await freePort();
  const { child, said } = spawnLighttpd(settings(data, port, more));
  const ended = once(child, 'exit');
  const isUp = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`lighttpd did not start: ${said()}`);
    return (await ask(port, '/-/healthz').catch(() => null))?.status === 200;
  };
  const close = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await Promise.all([receiver.close(), gateway.close()]);
    rmSync(data, { recursive: true, force: true });
  };
  await until('lighttpd answers', isUp).catch(async (thrown: unknown) => {
    await close();
    throw thrown;
  });
  const logged: Site['logged'] = async (part, count = 1) => {
    let found: Record<string, unknown>[] = [];
    // Lighttpd writes its log in pieces; SIGHUP has it write what it holds, and open the file again.
    child.kill('SIGHUP');
    await until(`${count} lines about ${part} in the access log`, () => {
      // What follows the last end of a line is one that is being written.
      const lines = readFileSync(join(paths.logs, 'access.log'), 'utf8').split('\n').slice(0, -1);
      const all = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      found = all.filter((entry) => String(entry.url).includes(part));
      return found.length >= count;
    });
    return found;
  };
  return { port, paths, receiver, gateway, child, said, logged, close };
}
