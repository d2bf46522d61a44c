/** (a) 2,000 artifacts of 16 KiB: a webhook to a published build, against the tools that fetch ready links. */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { artifactPaths, type BenchContext, fetchWith, homeOfOrigin, inEachPlace, turns } from './bench.ts';
import { aria2c, connections, curl, type Fetcher } from './fetchers.ts';
import type { BenchBuild, BenchFile } from './files.ts';
import { type Row, ratioOf, spreadOf, type Table } from './measure.ts';
import { startMirror } from './mirror.ts';
import { startOrigin } from './origin.ts';
import type { Place } from './places.ts';

const jobs = 20;
const filesPerJob = 100;
const bytes = 16 * 1024;
const count = jobs * filesPerJob;
/** Rounds before the first that counts: a mirror runs for weeks, its code is warm. */
const warmUps = 2;
const defaultRounds = 7;

export async function small(context: BenchContext): Promise<Table[]> {
  const rounds = context.rounds ?? defaultRounds;
  const total = count * bytes * (warmUps + rounds);
  return inEachPlace(context, 2 * total, 'small', (place) => measure(context, place, rounds));
}

async function measure(context: BenchContext, place: Place, rounds: number): Promise<Table> {
  const { signal, path } = context;
  const home = homeOfOrigin(place, count * bytes * (warmUps + rounds));
  const origin = await startOrigin({ folder: join(home.folder, 'origin'), path, signal });
  context.cleanUp(async () => {
    await origin.stop();
    home.remove();
  });
  const mirror = await startMirror(place.folder, origin, signal);
  context.cleanUp(() => mirror.stop());
  const fetchers = [aria2c(path), curl(path)];
  const sides = fetchers.filter((fetcher) => typeof fetcher !== 'string');

  const ours: number[] = [];
  const theirs = new Map<Fetcher, Record<string, number>[]>(sides.map((side) => [side, []]));
  for (let round = -warmUps; round < rounds; round += 1) {
    const number = round + warmUps + 1;
    const build = await origin.add({ number, jobs, filesPerJob, bytes, seed: `small-${number}` });
    for (const turn of turns(sides.length + 1, round + warmUps)) {
      await mirror.quiet();
      if (place.name === 'disk') execFileSync('sync', ['-f', place.folder]);
      const side = sides[turn];
      if (side === undefined) {
        const time = await mirror.mirror(build.sample);
        checkFiles(artifactPaths(build, mirror.folderOf(build.sample)));
        if (round >= 0) ours.push(time);
        context.say(`small, ${place.name}: round ${round}: kitemirror ${time.toFixed(0)} ms`);
      } else {
        const times = await fetchWith(side, build.files, place, signal, (folder) => checkFetched(build, folder));
        if (round >= 0) theirs.get(side)?.push(times);
        context.say(`small, ${place.name}: round ${round}: ${side.name} ${times['all']?.toFixed(0)} ms`);
      }
    }
  }
  const rows: Row[] = [{ name: 'kitemirror, webhook to published', unit: 'ms', value: spreadOf(ours) }];
  for (const fetcher of fetchers) rows.push(rowOf(fetcher, ours, theirs));
  return {
    title: `small: ${count} artifacts of 16 KiB (${jobs} jobs), ${place.name} (${place.folder.replace(/\/[^/]+$/, '')}), ${rounds} rounds in turns`,
    facts: [
      ...origin.facts,
      'kitemirror is given one signed webhook: it lists the build, resolves 2,000 links through the API, fetches 20 logs' +
        ' too, checks, stores, records, merges, publishes',
      `the others are given the ready storage links; ${connections} connections, kitemirror ${mirror.concurrency}`,
    ],
    rows,
  };
}

function rowOf(fetcher: Fetcher | string, ours: number[], theirs: Map<Fetcher, Record<string, number>[]>): Row {
  if (typeof fetcher === 'string') return { name: fetcher.split(' ')[0] ?? '', unit: 'ms', note: fetcher };
  const times = theirs.get(fetcher) ?? [];
  const all = times.map((time) => time['all'] ?? Number.NaN);
  const ratio = ratioOf(all, ours);
  const isAria = fetcher.name.startsWith('aria2c');
  const parts = Object.keys(times[0] ?? {}).filter((part) => part !== 'all');
  const medians = parts.map((part) => `${part} ${spreadOf(times.map((time) => time[part] ?? 0)).median.toFixed(0)}`);
  return {
    name: fetcher.name,
    unit: 'ms',
    value: spreadOf(all),
    ratio,
    ...(isAria ? { target: { text: 'faster than aria2c', met: ratio.median > 1 } } : {}),
    ...(parts.length > 1 ? { note: `(${medians.join(' + ')})` } : {}),
  };
}

function checkFetched({ files }: BenchBuild, folder: string): void {
  checkFiles(new Map(files.map((file) => [file, join(folder, file.path)])));
}

/** A side that has other bytes than upstream states is not measured. */
function checkFiles(paths: ReadonlyMap<BenchFile, string>): void {
  if (paths.size !== count) throw new Error(`${paths.size} of ${count} files`);
  for (const [file, path] of paths) {
    if (hash('sha1', readFileSync(path)) !== file.sha1) throw new Error(`${path} has other bytes`);
  }
}
