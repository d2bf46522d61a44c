/**
 * (a) 2,000 artifacts of 16 KiB: a webhook to a published build, with links in bulk as Buildkite's GraphQL has them and
 * with each link asked for by REST, against the tools that are given the links.
 */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { artifactPaths, type BenchContext, fetchWith, homeOfOrigin, inEachPlace, turns } from './bench.ts';
import { aria2c, connections, curl, type Fetcher } from './fetchers.ts';
import type { BenchBuild, BenchFile } from './files.ts';
import { type Row, ratioOf, spreadOf, type Table } from './measure.ts';
import { type BenchMirror, startMirror } from './mirror.ts';
import { startOrigin } from './origin.ts';
import type { Place } from './places.ts';

const jobs = 20;
const filesPerJob = 100;
const bytes = 16 * 1024;
const count = jobs * filesPerJob;
interface Way {
  readonly name: string;
  readonly settings: Record<string, string>;
}

/** The mirror as it is by itself, as one sets it on a machine of its own, and where the token may not ask in bulk. */
const ways: readonly Way[] = [
  { name: 'links in bulk (GraphQL), one worker', settings: {} },
  {
    name: `links in bulk (GraphQL), a worker for each core (${availableParallelism()})`,
    settings: { KITEMIRROR_WORKERS: String(availableParallelism()) },
  },
  { name: 'each link by REST, one worker', settings: { BUILDKITE_GRAPHQL: 'off' } },
];

/** Rounds before the first that counts: a mirror runs for weeks, its code is warm. */
const warmUps = 4;
const defaultRounds = 7;

export function small(context: BenchContext): AsyncIterable<Table> {
  const rounds = context.rounds ?? defaultRounds;
  const total = count * bytes * (warmUps + rounds);
  return inEachPlace(context, (ways.length + 1) * total, 'small', (place) => measure(context, place, rounds));
}

async function measure(context: BenchContext, place: Place, rounds: number): Promise<Table> {
  const { signal, path } = context;
  const home = homeOfOrigin(place, count * bytes * (warmUps + rounds));
  const origin = await startOrigin({ folder: join(home.folder, 'origin'), path, signal });
  context.cleanUp(async () => {
    await origin.stop();
    home.remove();
  });
  const mirrors = new Map<Way, BenchMirror>();
  for (const way of ways) {
    const mirror = await startMirror(join(place.folder, `way-${mirrors.size}`), origin, signal, way.settings);
    context.cleanUp(() => mirror.stop());
    mirrors.set(way, mirror);
  }
  const fetchers = [aria2c(path), curl(path)];
  const theirSides = fetchers.filter((fetcher) => typeof fetcher !== 'string');
  const sides: readonly (Way | Fetcher)[] = [...ways, ...theirSides];

  const times = new Map<Way | Fetcher, Record<string, number>[]>(sides.map((side) => [side, []]));
  for (let round = -warmUps; round < rounds; round += 1) {
    const number = round + warmUps + 1;
    const build = await origin.add({ number, jobs, filesPerJob, bytes, seed: `small-${number}` });
    for (const turn of turns(sides.length, round + warmUps)) {
      for (const mirror of mirrors.values()) await mirror.quiet();
      if (place.name === 'disk') execFileSync('sync', ['-f', place.folder]);
      const side = sides[turn];
      if (side === undefined) continue;
      const time =
        'fetch' in side
          ? await fetchWith(side, build.files, place, signal, (folder) => checkFetched(build, folder))
          : { all: await mirrorWith(mirrors.get(side), build) };
      if (round >= 0) times.get(side)?.push(time);
      context.say(`small, ${place.name}: round ${round}: ${side.name} ${time.all?.toFixed(0)} ms`);
    }
  }
  const rows = ways.flatMap((way): Row[] => [
    { name: `kitemirror, ${way.name}`, unit: 'ms', value: spreadOf(allOf(times.get(way))) },
    ...fetchers.map((fetcher) => rowOf(fetcher, allOf(times.get(way)), times)),
  ]);
  const concurrency = [...mirrors.values()][0]?.concurrency;
  return {
    title: `small: ${count} artifacts of 16 KiB (${jobs} jobs), ${place.name} (${place.folder.replace(/\/[^/]+$/, '')}), ${rounds} rounds in turns`,
    facts: [
      ...origin.facts,
      'kitemirror is given one signed webhook: it lists the build, asks the API for 2,000 links, fetches 20 logs' +
        ' too, checks, stores, records, merges, publishes',
      `the others are given the ready storage links; ${connections} connections, kitemirror ${concurrency}`,
    ],
    rows,
  };
}

/** From the webhook to the published build, in ms. */
async function mirrorWith(mirror: BenchMirror | undefined, build: BenchBuild): Promise<number> {
  if (mirror === undefined) throw new Error('this way has no mirror');
  const time = await mirror.mirror(build.sample);
  checkFiles(artifactPaths(build, mirror.folderOf(build.sample)));
  return time;
}

function allOf(times: readonly Record<string, number>[] | undefined): number[] {
  return (times ?? []).map((time) => time['all'] ?? Number.NaN);
}

function rowOf(
  fetcher: Fetcher | string,
  ours: number[],
  sides: ReadonlyMap<Way | Fetcher, Record<string, number>[]>,
): Row {
  if (typeof fetcher === 'string') return { name: `  ${fetcher.split(' ')[0] ?? ''}`, unit: 'ms', note: fetcher };
  const times = sides.get(fetcher) ?? [];
  const ratio = ratioOf(allOf(times), ours);
  const isAria = fetcher.name.startsWith('aria2c');
  const parts = Object.keys(times[0] ?? {}).filter((part) => part !== 'all');
  const medians = parts.map((part) => `${part} ${spreadOf(times.map((time) => time[part] ?? 0)).median.toFixed(0)}`);
  return {
    name: `  ${fetcher.name}`,
    unit: 'ms',
    value: spreadOf(allOf(times)),
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
