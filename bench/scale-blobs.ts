/** What reads or looks at every blob: `verify` beside sha256sum, and the sweep. */
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DataPaths, dataPaths } from '../src/tree/paths.ts';
import { sweepBlobs } from '../src/tree/sweep.ts';
import { blobFiles, verifyBlobs } from '../src/tree/verify.ts';
import { type BenchContext, turns } from './bench.ts';
import { type Row, ratioOf, spreadOf } from './measure.ts';

const usualRounds = 3;
/** One reading of more files than this by each side says as much as several. */
const manyFiles = 500_000;
const verifyTarget = 0.8;
const sweepTarget = { blobs: 1_000_000, seconds: 60 };
const large = { blobs: 256, bytes: 1024 * 1024 };

export async function measureBlobs(context: BenchContext, paths: DataPaths, artifacts: number): Promise<Row[]> {
  const rounds = artifacts > manyFiles ? 1 : (context.rounds ?? usualRounds);
  const rows = [await verifyRow(context, paths, `verify ${artifacts} small blobs`, artifacts, rounds)];
  const all = await sweepRow(context, paths, artifacts, 0);
  // With the tree each blob loses its other name.
  await rm(paths.tree, { recursive: true });
  return [...rows, all, await sweepRow(context, paths, artifacts, artifacts)];
}

/** Files that are bytes more than they are files. */
export async function measureLargeBlobs(context: BenchContext, folder: string): Promise<Row> {
  const paths = dataPaths(folder);
  const content = Buffer.alloc(large.bytes, 'kitemirror ');
  for (let at = 0; at < large.blobs; at += 1) {
    content.writeUInt32BE(at);
    const blob = paths.blob(hash('sha256', content));
    mkdirSync(join(blob, '..'), { recursive: true });
    writeFileSync(blob, content);
  }
  const name = `verify ${large.blobs} blobs of 1 MiB`;
  return verifyRow(context, paths, name, large.blobs, context.rounds ?? usualRounds);
}

async function verifyRow(
  context: BenchContext,
  paths: DataPaths,
  name: string,
  blobs: number,
  rounds: number,
): Promise<Row> {
  const list = join(paths.root, 'names');
  const fd = openSync(list, 'w');
  for (const { file } of blobFiles(paths, null)) writeSync(fd, `${file}\0`);
  closeSync(fd);
  const sides = [() => readAll(paths, blobs, context.signal), () => sha256sum(list, context)];
  const times: [number[], number[]] = [[], []];
  // What was only just written is still on its way to the disk: who reads first would wait for that.
  await readAll(paths, blobs, context.signal);
  for (let round = 0; round < rounds; round += 1) {
    for (const turn of turns(2, round)) {
      const startedAt = performance.now();
      await sides[turn]?.();
      times[turn]?.push((performance.now() - startedAt) / 1000);
      context.say(`scale: ${name}: ${turn === 0 ? 'we' : 'sha256sum'} ${times[turn]?.at(-1)?.toFixed(2)} s`);
    }
  }
  const [ours, theirs] = times;
  const ratio = ratioOf(theirs, ours);
  return {
    name,
    unit: 's',
    value: spreadOf(ours),
    ratio,
    target: { text: `≥ ${verifyTarget} × sha256sum`, met: ratio.median >= verifyTarget },
    note: each(spreadOf(ours).median, blobs),
  };
}

async function readAll(paths: DataPaths, blobs: number, signal: AbortSignal): Promise<void> {
  const onDamage = ({ name }: { name: string }): Promise<void> => Promise.reject(new Error(`blob ${name} is damaged`));
  const read = await verifyBlobs(paths, { after: null, rate: null, signal, onDamage });
  if (read.blobs !== blobs) throw new Error(`${read.blobs} of ${blobs} blobs were read`);
}

async function sha256sum(list: string, { path, signal }: BenchContext): Promise<void> {
  const names = openSync(list, 'r');
  try {
    const child = spawn('xargs', ['-0', 'sha256sum', '--'], {
      stdio: [names, 'ignore', 'inherit'],
      env: { PATH: path },
      signal,
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`sha256sum ended with ${String(code)}`);
  } finally {
    closeSync(names);
  }
}

async function sweepRow(context: BenchContext, paths: DataPaths, blobs: number, removable: number): Promise<Row> {
  const [startedAt, before] = [performance.now(), process.cpuUsage()];
  const { seen, removed } = await sweepBlobs(paths, { graceMs: 0, signal: context.signal });
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(before);
  if (seen !== blobs || removed !== removable) throw new Error(`swept ${removed} of ${seen} blobs`);
  const name = `sweep ${blobs} blobs, ${removable === 0 ? 'all are linked' : 'none is linked: all are removed'}`;
  const cpu = `${((user + system) / 1e6).toFixed(2)} s of processor time`;
  context.say(`scale: ${name}: ${seconds.toFixed(2)} s, ${cpu}`);
  const atTarget = blobs === sweepTarget.blobs;
  return {
    name,
    unit: 's',
    value: spreadOf([seconds]),
    ...(atTarget && {
      target: { text: `≤ ${sweepTarget.seconds} s`, met: seconds <= sweepTarget.seconds },
    }),
    note: `${each(seconds, blobs)}; ${cpu}`,
  };
}

function each(seconds: number, blobs: number): string {
  return `${((seconds / blobs) * 1e6).toFixed(1)} µs each`;
}
