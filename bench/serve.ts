/** Files as fast as they are sent: our Lighttpd with its gate beside the same Lighttpd bare, and nginx. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand, lighttpdTlsNeed } from '../src/programs.ts';
import { ensurePrograms } from '../src/supervise/install.ts';
import { type Bench, type BenchContext, turns } from './bench.ts';
import { findPeer, peers } from './children.ts';
import { type Row, ratioOf, spreadOf, type Table } from './measure.ts';
import { ticksOf } from './process.ts';
import { type Certificate, type Side, type SideOptions, startBare, startNginx, startOurs } from './serve-sides.ts';
import { root } from './stack.ts';

const usualRounds = 5;
const seconds = 1;
const connections = 32;
/** USER_HZ: what /proc counts in. */
const microsecondsInTick = 10_000;
const sizes = [
  { name: '4KiB', bytes: 4096, target: 0.5 },
  { name: '1MiB', bytes: 1_048_576, target: 0.95 },
] as const;
const execute = promisify(execFile);

interface Contestant {
  readonly name: string;
  readonly side: Side;
  /** Whether the target is this one's. */
  readonly isMeasured: boolean;
}

/** Those who are measured in turns, the bare one first, and a line for who is not here. */
interface Field {
  readonly contestants: readonly Contestant[];
  readonly absent: readonly Row[];
}

interface Turn {
  readonly perSecond: number;
  /** User and system time of the server, µs a request. */
  readonly processor: number;
}

export const serve: Bench = async function* (context) {
  const wrk = findPeer(peers.wrk, context.path);
  const [title, secureTitle] = ['Files sent over HTTP/1.1', 'Files sent over TLS 1.3 and HTTP/1.1'];
  if ('missing' in wrk) {
    yield { title, facts: [], rows: [{ name: 'wrk', unit: '/s', note: wrk.missing }] };
    return;
  }
  const [plain, secure] = await startAll(context);
  yield* race(context, wrk.found, title, plain);
  yield* race(context, wrk.found, secureTitle, secure);
};

async function* race(
  context: BenchContext,
  wrk: string,
  title: string,
  { contestants, absent }: Field,
): AsyncGenerator<Table> {
  const rounds = context.rounds ?? usualRounds;
  for (const size of contestants.length === 0 ? [] : sizes) {
    const all: Turn[][] = contestants.map(() => []);
    // The first round is to warm up.
    for (let round = 0; round <= rounds; round += 1) {
      context.say(`${title}, ${size.name}: round ${round === 0 ? 'to warm up' : round}`);
      for (const turn of turns(contestants.length, round)) {
        const found = await measure(wrk, contestants[turn]?.side as Side, size.name, context.signal);
        if (round > 0) all[turn]?.push(found);
      }
    }
    yield {
      title: `${title}, ${size.bytes / 1024} KiB each, ${rounds} rounds in turns`,
      facts: [
        `wrk, ${connections} connections on the loopback, ${seconds} s a turn; one process a server, files in the page cache`,
        'ratios are to bare Lighttpd with a log: 1 is as much as it sends, or as little of a processor as it takes',
      ],
      rows: [...rowsOf(contestants, all, size.target), ...absent],
    };
  }
  if (contestants.length === 0) yield { title, facts: [], rows: [...absent] };
}

/** Plain, and over TLS. */
async function startAll(context: BenchContext): Promise<[Field, Field]> {
  const { path, signal, cleanUp } = context;
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bench-'));
  cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  const files = new Map(sizes.map(({ name, bytes }) => [name, Buffer.alloc(bytes, 'kite')]));
  const optionsFor = (name: string, tls: Certificate | null = null): SideOptions => {
    const own = join(folder, name);
    mkdirSync(own);
    return { folder: own, path, files, signal, tls };
  };
  const host = { root, env: { PATH: path }, isRoot: process.getuid?.() === 0, say: context.say };
  const lighttpd = (await ensurePrograms([lighttpdTlsNeed], host)).get('lighttpd') ?? '';
  const nginx = findPeer(peers.nginx, path);
  const [contestants, secure]: [Contestant[], Contestant[]] = [[], []];
  const enter = async (
    name: string,
    starting: Promise<Side>,
    isMeasured = false,
    field = contestants,
  ): Promise<void> => {
    const side = await starting;
    cleanUp(() => side.stop());
    field.push({ name, side, isMeasured });
  };
  await enter('bare Lighttpd, JSON log', startBare(lighttpd, optionsFor('bare'), true));
  await enter('bare Lighttpd, no log', startBare(lighttpd, optionsFor('silent'), false));
  await enter('kitemirror, signed in', startOurs(optionsFor('signed-in'), true), true);
  await enter('kitemirror, identity off', startOurs(optionsFor('open'), false));
  if ('found' in nginx) await enter('nginx, JSON log', startNginx(nginx.found, optionsFor('nginx')));
  const absent: Row[] = 'found' in nginx ? [] : [{ name: 'nginx', unit: '/s', note: nginx.missing }];
  const openssl = findCommand(['openssl'], path);
  if (openssl === null) {
    const row: Row = { name: 'TLS', unit: '/s', note: 'openssl is not installed: there is no certificate' };
    return [
      { contestants, absent },
      { contestants: secure, absent: [row] },
    ];
  }
  const tls = await makeCertificate(openssl, folder, signal);
  await enter('bare Lighttpd, JSON log', startBare(lighttpd, optionsFor('bare-tls', tls), true), false, secure);
  await enter('kitemirror, signed in', startOurs(optionsFor('signed-in-tls', tls), true), false, secure);
  return [
    { contestants, absent },
    { contestants: secure, absent: [] },
  ];
}

async function makeCertificate(openssl: string, folder: string, signal: AbortSignal): Promise<Certificate> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  await execute(openssl, ['req', '-x509', ...kind, ...subject], { signal });
  return { cert, key };
}

/** @throws Error where an answer was anything but the file */
async function measure(wrk: string, side: Side, file: string, signal: AbortSignal): Promise<Turn> {
  const headers = Object.entries(side.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, ...headers, side.urlOf(file)];
  const before = ticksOf(side.pid);
  const { stdout } = await execute(wrk, args, { signal });
  const ticks = ticksOf(side.pid) - before;
  const [, requests] = /^\s*(\d+) requests in/m.exec(stdout) ?? [];
  const [, rate] = /^Requests\/sec:\s+([\d.]+)/m.exec(stdout) ?? [];
  if (requests === undefined || rate === undefined || /Non-2xx|Socket errors/.test(stdout)) {
    throw new Error(`wrk could not measure ${side.urlOf(file)}: ${stdout}`);
  }
  return { perSecond: Number(rate), processor: (ticks * microsecondsInTick) / Number(requests) };
}

function rowsOf(contestants: readonly Contestant[], all: readonly Turn[][], target: number): Row[] {
  const rates = all.map((found) => found.map(({ perSecond }) => perSecond));
  const costs = all.map((found) => found.map(({ processor }) => processor));
  const sent = contestants.map(({ name, isMeasured }, index): Row => {
    const ratio = ratioOf(rates[index] ?? [], rates[0] ?? []);
    return {
      name,
      unit: '/s',
      value: spreadOf(rates[index] ?? []),
      ratio,
      ...(isMeasured ? { target: { text: `≥ ${target} ×`, met: ratio.median >= target } } : {}),
    };
  });
  const spent = contestants.map(({ name }, index): Row => {
    const [own, bare] = [costs[index] ?? [], costs[0] ?? []];
    return { name: `${name}: processor time a request`, unit: 'µs', value: spreadOf(own), ratio: ratioOf(bare, own) };
  });
  return [...sent, ...spent];
}
