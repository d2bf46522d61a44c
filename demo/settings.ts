/** What the demo tells the mirror: the stand-in instead of Buildkite, a folder of its own, ports that are free. */
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { CertificateFiles } from './certificate.ts';
import type { StandInAddress } from './standin/standin.ts';
import { graphqlToken } from './standin/tokens.ts';

const loopback = '127.0.0.1';
const portsTried = 100;

export interface DemoSettings {
  readonly env: NodeJS.ProcessEnv;
  readonly url: string;
  readonly webhookToken: string;
}

/** @param env the machine's; of the mirror's own settings in it none is used. @param data absolute path of the demo's data folder @param wantedPort 0: any @param tls null: plain HTTP */
export async function demoSettings(
  env: NodeJS.ProcessEnv,
  data: string,
  organization: string,
  upstream: StandInAddress,
  wantedPort = 0,
  tls: CertificateFiles | null = null,
): Promise<DemoSettings> {
  const port = await freePort(wantedPort);
  const metrics = await freeRange(port);
  const webhookToken = randomBytes(16).toString('hex');
  const url = `${tls === null ? 'http' : 'https'}://${loopback}:${port}`;
  const machine = Object.entries(env).filter(([name]) => !/^(KITEMIRROR|BUILDKITE|REDIS|AWS)_/.test(name));
  return {
    url,
    webhookToken,
    env: {
      ...Object.fromEntries(machine),
      BUILDKITE_ORGANIZATION: organization,
      BUILDKITE_API_TOKEN: graphqlToken.token,
      BUILDKITE_WEBHOOK_TOKEN: webhookToken,
      BUILDKITE_API_URL: upstream.apiUrl,
      BUILDKITE_GRAPHQL_URL: upstream.graphqlUrl,
      KITEMIRROR_DOWNLOAD_HOSTS: upstream.storageHost,
      KITEMIRROR_DATA: data,
      // The samples are small, and a laptop's disk may well be nearly full.
      KITEMIRROR_MIN_FREE: '256MiB',
      KITEMIRROR_URL: url,
      KITEMIRROR_LISTEN: `${loopback}:${port}`,
      ...(tls !== null && { KITEMIRROR_TLS_CERT: tls.cert, KITEMIRROR_TLS_KEY: tls.key }),
      KITEMIRROR_METRICS_LISTEN: `${loopback}:${metrics}`,
      KITEMIRROR_WORKER_METRICS_LISTEN: `${loopback}:${metrics + 1}`,
    },
  };
}

/** The first free port from `from` on; 0: any. */
async function freePort(from: number): Promise<number> {
  for (let port = from; ; port += 1) {
    const found = await tryPort(port);
    if (found !== null) return found;
    if (port >= from + portsTried) throw new Error(`ports ${from} to ${port} are taken`);
  }
}

/** Each worker has a port of its own behind the first one's. */
const portsForMetrics = 9;
/** Below those that systems give to connections, which would take one between this look and the start. */
const [lowestPort, highestPort] = [12_000, 32_000];

/** The first of some ports side by side that are free. */
async function freeRange(besides: number): Promise<number> {
  for (let tries = 0; tries < portsTried; tries += 1) {
    const first = randomInt(lowestPort, highestPort);
    const found = await Promise.all(Array.from({ length: portsForMetrics }, (_, at) => tryPort(first + at)));
    if (!found.includes(null) && !found.includes(besides)) return first;
  }
  throw new Error(`no ${portsForMetrics} ports side by side are free between ${lowestPort} and ${highestPort}`);
}

/** @returns null where another has it */
async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, loopback);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'EADDRINUSE') return null;
    throw thrown;
  } finally {
    server.close();
  }
}
