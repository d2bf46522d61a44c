/** (b) One artifact of 2 GiB: a webhook to a published build, against curl and then both sums; and the worker's memory. */
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { artifactPaths, type BenchContext, fetchWith, homeOfOrigin, inEachPlace, turns } from './bench.ts';
import { curlAlone } from './fetchers.ts';
import { type Row, ratioOf, spreadOf, type Table } from './measure.ts';
import { startMirror } from './mirror.ts';
import { startOrigin } from './origin.ts';
import type { Place } from './places.ts';
import { peakBytes } from './process.ts';

const mib = 1024 * 1024;
const bytes = 2048 * mib;
const defaultRounds = 3;
const target = 0.85;
const memoryTarget = 250 * mib;

export function large(context: BenchContext): AsyncIterable<Table> {
  const rounds = context.rounds ?? defaultRounds;
  return inEachPlace(context, 2.5 * bytes, 'large', (place) => measure(context, place, rounds));
}

async function measure(context: BenchContext, place: Place, rounds: number): Promise<Table> {
  const { signal, path } = context;
  const home = homeOfOrigin(place, bytes);
  const origin = await startOrigin({ folder: join(home.folder, 'origin'), path, signal });
  context.cleanUp(async () => {
    await origin.stop();
    home.remove();
  });
  // By REST, which states no SHA-256: both sides take both sums.
  const mirror = await startMirror(place.folder, origin, signal, { BUILDKITE_GRAPHQL: 'off' });
  context.cleanUp(() => mirror.stop());
  const curl = curlAlone(path);
  const plan = { jobs: 1, filesPerJob: 1, seed: 'large', bytes };
  const first = await origin.add({ ...plan, number: 1 });

  const ours: number[] = [];
  const theirs: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const build = round === 0 ? first : await origin.addAgain(first, round + 1);
    for (const turn of turns(2, round)) {
      await mirror.quiet();
      if (place.name === 'disk') execFileSync('sync', ['-f', place.folder]);
      if (turn === 0) {
        ours.push(await mirror.mirror(build.sample));
        checkSizes(artifactPaths(build, mirror.folderOf(build.sample)).values());
        await mirror.forget(build.sample);
        context.say(`large, ${place.name}: round ${round}: kitemirror ${ours.at(-1)?.toFixed(0)} ms`);
      } else if (typeof curl !== 'string') {
        const check = (folder: string): void => checkSizes(build.files.map((file) => join(folder, file.path)));
        const times = await fetchWith(curl, build.files, place, signal, check);
        theirs.push(times);
        context.say(`large, ${place.name}: round ${round}: curl and sums ${times['all']?.toFixed(0)} ms`);
      }
    }
  }
  const peak = Math.max(
    ...Object.entries(mirror.pids())
      .filter(([name]) => name.startsWith('worker'))
      .map(([, pid]) => peakBytes(pid)),
  );
  return {
    title: `large: one artifact of 2 GiB, ${place.name} (${place.folder.replace(/\/[^/]+$/, '')}), ${rounds} rounds in turns`,
    facts: [...origin.facts],
    rows: [
      { name: 'kitemirror, webhook to published', unit: 'ms', value: spreadOf(ours) },
      curlRow(curl, ours, theirs),
      {
        name: "the worker's peak memory (VmHWM)",
        unit: 'MiB',
        value: spreadOf([peak / mib]),
        target: { text: '≤ 250 MiB', met: peak <= memoryTarget },
      },
    ],
  };
}

function curlRow(curl: ReturnType<typeof curlAlone>, ours: number[], theirs: Record<string, number>[]): Row {
  if (typeof curl === 'string') return { name: 'curl', unit: 'ms', note: curl };
  const all = theirs.map((times) => times['all'] ?? Number.NaN);
  const ratio = ratioOf(all, ours);
  const parts = Object.keys(theirs[0] ?? {}).filter((part) => part !== 'all');
  const medians = parts.map((part) => `${part} ${spreadOf(theirs.map((times) => times[part] ?? 0)).median.toFixed(0)}`);
  return {
    name: curl.name,
    unit: 'ms',
    value: spreadOf(all),
    ratio,
    target: { text: `≥ ${target} ×`, met: ratio.median >= target },
    note: `(${medians.join(' + ')})`,
  };
}

/** That the bytes are right is what curl's sums and the mirror have just checked. */
function checkSizes(paths: Iterable<string>): void {
  for (const path of paths) {
    const { size } = statSync(path);
    if (size !== bytes) throw new Error(`${path} has ${size} bytes`);
  }
}
