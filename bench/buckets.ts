/**
 * (buckets) A large object of a private bucket as one stream, in ranges at once, and by the way that the mirror finds:
 * from a server that bounds each connection, from one whose connections share a bound, and from one as fast as it can.
 */
import { join } from 'node:path';
import { shareWithSdk } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { createGetPart } from '../src/storage/bucket-client.ts';
import { createReadObject, type ReadObject } from '../src/storage/buckets.ts';
import { openStaging, StagedFile } from '../src/tree/staging.ts';
import type { BenchContext } from './bench.ts';
import type { BucketAddress, BucketPace, BucketStart } from './bucket-origin.ts';
import { endChild, nextMessage, startScript } from './children.ts';
import { type Row, ratioOf, spreadOf, type Table } from './measure.ts';
import type { Pace } from './pace.ts';
import { openPlace } from './places.ts';

const mib = 1024 * 1024;
const size = 256 * mib;
const object = { bucket: 'bench', key: 'large.bin', region: null };
const usualRounds = 3;
/** Of the better of the two ways, at least. */
const target = 0.9;

const servers: readonly { readonly name: string; readonly pace: Pace | null }[] = [
  // Far below what it can send on several; S3's bound is some 85 to 90 MB/s.
  { name: '10 MB/s on each connection', pace: { bytesPerSecond: 10e6, isShared: false } },
  { name: '20 MB/s on all connections together', pace: { bytesPerSecond: 20e6, isShared: true } },
  { name: 'as fast as it sends', pace: null },
];

export async function* buckets(context: BenchContext): AsyncGenerator<Table> {
  const { signal, rounds, say, cleanUp } = context;
  const place = openPlace('memory', 2 * size);
  if (typeof place === 'string') {
    yield { title: 'buckets', facts: [`skipped: ${place}`], rows: [] };
    return;
  }
  cleanUp(() => place.remove());
  const origin = startScript('bucket-origin.ts');
  cleanUp(() => endChild(origin));
  origin.send({ ...object, size, folder: place.folder } satisfies BucketStart);
  const { environment } = await nextMessage<BucketAddress>(origin, signal);
  shareWithSdk(environment);
  for (const { name, pace } of servers) {
    const told = nextMessage(origin, signal);
    origin.send({ pace } satisfies BucketPace);
    await told;
    const title = `buckets: an object of ${size / mib} MiB, ${name}`;
    const onSpeed = (side: Side, speed: number): void => say(`${title}: ${side}, ${speed.toFixed(0)} MB/s`);
    const speeds = await measure(place.folder, environment, rounds ?? usualRounds, onSpeed, signal);
    yield { title, facts: ['s3rver, the AWS SDK, staging in memory, SHA-256 taken'], rows: rowsOf(speeds) };
  }
}

type Side = 'stream' | 'ranges' | 'first' | 'next';
type Speeds = Record<Side, number[]>;

/** Sides take turns; ours finds out anew in each round (`first`), and goes by that with the next object. */
async function measure(
  folder: string,
  environment: Record<string, string>,
  rounds: number,
  onSpeed: (side: Side, speed: number) => void,
  signal: AbortSignal,
): Promise<Speeds> {
  const getPart = createGetPart({ endpoint: new URL(environment['AWS_ENDPOINT_URL_S3'] ?? ''), idleMs: 10_000 });
  const common = { getPart, log: createLog('bench', 'error'), onRead: () => undefined };
  const take = async (side: Side, read: ReadObject): Promise<void> => {
    const sink = new StagedFile(join(folder, 'object'), openStaging(folder), false);
    const startedAt = performance.now();
    await read(object, sink, size, signal);
    const staged = await sink.finish();
    const seconds = (performance.now() - startedAt) / 1000;
    sink.discard();
    if (staged.size !== size) throw new Error(`${staged.size} bytes came`);
    const speed = size / 1e6 / seconds;
    onSpeed(side, speed);
    speeds[side].push(speed);
  };
  const speeds: Speeds = { stream: [], ranges: [], first: [], next: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const way of ['stream', 'ranges'] as const) await take(way, createReadObject({ ...common, way }));
    const ours = createReadObject(common);
    await take('first', ours);
    await take('next', ours);
  }
  return speeds;
}

function rowsOf(speeds: Speeds): Row[] {
  const better = speeds.stream.map((speed, round) => Math.max(speed, speeds.ranges[round] ?? 0));
  const row = (name: string, side: Side): Row => ({ name, unit: 'MB/s', value: spreadOf(speeds[side]) });
  const ours = (name: string, side: Side): Row => {
    const ratio = ratioOf(speeds[side], better);
    const met = ratio.median >= target;
    return { ...row(name, side), ratio, target: { text: `≥ ${target} × the better of the two`, met } };
  };
  return [
    row('one stream', 'stream'),
    row('ranges of 8 MiB, four at once', 'ranges'),
    ours('kitemirror, its first object there', 'first'),
    ours('kitemirror, the next one', 'next'),
  ];
}
