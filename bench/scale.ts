/**
 * How the cost of what looks at the whole tree grows with it: a comparison with upstream's list, a restart, `verify` and
 * the sweep, on generated trees of 10³ artifacts and ten times as many in each step.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchContext } from './bench.ts';
import type { Row, Table } from './measure.ts';
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

export async function scale(context: BenchContext): Promise<Table[]> {
  const sizes = steps.filter((artifacts) => !context.quick || artifacts <= quickMost);
  const place = openPlace('disk', Math.max(...sizes) * bytesPerArtifact);
  if (typeof place === 'string') return [{ title: 'scale', facts: [`skipped: ${place}`], rows: [] }];
  context.cleanUp(() => place.remove());

  const compared: Row[] = [];
  for (const builds of lists) compared.push(...(await measureReconcile(context, place.folder, builds)));
  const restarts: Row[] = [];
  const blobs: Row[] = [await measureLargeBlobs(context, join(place.folder, 'large'))];
  for (const artifacts of sizes) {
    context.say(`scale: making a tree of ${artifacts} artifacts`);
    const data = join(place.folder, String(artifacts));
    const paths = await makeTree(data, artifacts / artifactsPerBuild, context.signal);
    restarts.push(...(await measureRestart(context, paths, artifacts)));
    blobs.push(...(await measureBlobs(context, paths, artifacts)));
    await rm(data, { recursive: true });
  }
  return [
    {
      title: 'scale: a reconcile over builds that are all mirrored',
      facts: [
        "processor time of a process of its own: upstream's pages over HTTP, parsed, and each build looked up in the catalog",
      ],
      rows: compared,
    },
    {
      title: `scale: a restart, ${artifactsPerBuild} artifacts a build`,
      facts: ['all programs of `npm start`; then the worker alone, killed and started again by the supervisor'],
      rows: restarts,
    },
    {
      title: 'scale: reading and sweeping blobs',
      facts: ['sha256sum reads the same files in turns with us; xargs hands it their names'],
      rows: blobs,
    },
  ];
}
