/**
 * How the cost of what looks at the whole tree grows with it: a comparison with upstream's list, a restart, `verify` and
 * the sweep, on generated trees of 10³ artifacts and ten times as many in each step.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchContext, sizesOf } from './bench.ts';
import type { Table } from './measure.ts';
import { openPlace } from './places.ts';
import { measureBlobs, measureLargeBlobs } from './scale-blobs.ts';
import { measureReconcile } from './scale-reconcile.ts';
import { measureRestart } from './scale-restart.ts';
import { artifactsPerBuild, bytesPerArtifact, makeTree } from './scale-tree.ts';

const steps = [1000, 10_000, 100_000, 1_000_000] as const;
/** With `--quick` no tree is larger. */
const quickMost = 100_000;
/** Builds in a list that is compared. */
const lists = [1000, 10_000, 100_000] as const;

export async function* scale(context: BenchContext): AsyncGenerator<Table> {
  const asked = sizesOf(context.part);
  const sizes = asked ?? steps.filter((artifacts) => !context.quick || artifacts <= quickMost);
  const place = openPlace('disk', Math.max(...sizes, lists[0]) * bytesPerArtifact);
  if (typeof place === 'string') {
    yield { title: 'scale', facts: [`skipped: ${place}`], rows: [] };
    return;
  }
  context.cleanUp(() => place.remove());
  for (const builds of lists.filter((size) => asked?.includes(size) !== false))
    yield await compareTable(context, place.folder, builds);
  const large = await measureLargeBlobs(context, join(place.folder, 'large'));
  yield { title: 'scale: reading large blobs', facts: sides, rows: [large] };
  for (const artifacts of sizes) {
    context.say(`scale: making a tree of ${artifacts} artifacts`);
    const data = join(place.folder, String(artifacts));
    const paths = await makeTree(data, artifacts / artifactsPerBuild, context.signal);
    yield {
      title: `scale: a restart with ${artifacts} artifacts, ${artifactsPerBuild} a build`,
      facts: ['all programs of `npm start`; then the worker alone, killed and started again by the supervisor'],
      rows: await measureRestart(context, paths),
    };
    yield {
      title: `scale: reading and sweeping ${artifacts} blobs`,
      facts: sides,
      rows: await measureBlobs(context, paths, artifacts),
    };
    await rm(data, { recursive: true });
  }
}

const sides = ['sha256sum reads the same files in turns with us; xargs hands it their names'];

async function compareTable(context: BenchContext, folder: string, builds: number): Promise<Table> {
  return {
    title: `scale: a reconcile over ${builds} builds that are all mirrored`,
    facts: [
      "processor time of a process of its own: upstream's pages over HTTP, parsed, and each build looked up in the catalog",
    ],
    rows: await measureReconcile(context, folder, builds),
  };
}
