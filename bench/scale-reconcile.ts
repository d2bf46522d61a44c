/** A reconcile over builds that are all mirrored: its processor time and its memory, as the builds become more. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeFlags } from '../src/supervise/plan.ts';
import type { BenchContext } from './bench.ts';
import { endChild, nextMessage, startScript } from './children.ts';
import { type Row, spreadOf } from './measure.ts';
import { createdAt, iso } from './scale-builds.ts';
import { serveBuilds } from './scale-list.ts';
import type { Compared, ReconcileRun } from './scale-reconcile-run.ts';
import { makeCatalog } from './scale-tree.ts';

const mib = 1024 * 1024;
const targetSeconds = 2;
const targetBytes = 200 * mib;
const usualRounds = 3;

export async function measureReconcile(context: BenchContext, folder: string, builds: number): Promise<Row[]> {
  const { signal, say, rounds } = context;
  const data = join(folder, `catalog-${builds}`);
  say(`scale: making a catalog of ${builds} builds`);
  await makeCatalog(data, builds, signal);
  const list = await serveBuilds(builds);
  try {
    const runs: ReconcileRun[] = [];
    for (let round = 0; round < (rounds ?? usualRounds); round += 1) {
      runs.push(await runOnce(data, list.url, builds, signal));
      say(`scale: ${builds} builds compared in ${runs.at(-1)?.all.cpuSeconds.toFixed(2)} s`);
    }
    return rowsOf(builds, runs);
  } finally {
    await list.stop();
    await rm(data, { recursive: true });
  }
}

async function runOnce(data: string, apiUrl: string, builds: number, signal: AbortSignal): Promise<ReconcileRun> {
  const child = startScript('scale-reconcile-run.ts', [data, apiUrl, iso(createdAt(0))], nodeFlags.worker);
  try {
    const run = await nextMessage<ReconcileRun>(child, signal);
    check(run.all, builds);
    check(run.nothingNew, 0);
    return run;
  } finally {
    await endChild(child);
  }
}

/** A comparison that saw other builds than there are is not measured. */
function check({ counts }: Compared, builds: number): void {
  const seen = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (seen < builds || counts.unchanged !== seen) throw new Error(`compared ${JSON.stringify(counts)} of ${builds}`);
}

function rowsOf(builds: number, runs: readonly ReconcileRun[]): Row[] {
  const cpu = spreadOf(runs.map(({ all }) => all.cpuSeconds));
  const peak = spreadOf(runs.map((run) => run.peakBytes / mib));
  const pages = runs[0]?.all.requests ?? 0;
  const each = `${((cpu.median / builds) * 1e6).toFixed(1)} µs a build, ${pages} pages`;
  return [
    {
      name: 'all of them',
      unit: 's',
      value: cpu,
      target: { text: `≤ ${targetSeconds} s`, met: cpu.median <= targetSeconds },
      note: each,
    },
    {
      name: 'peak memory (VmHWM)',
      unit: 'MiB',
      value: peak,
      target: { text: `≤ ${targetBytes / mib} MiB`, met: peak.median * mib <= targetBytes },
    },
    {
      name: 'a later one, nothing new',
      unit: 's',
      value: spreadOf(runs.map(({ nothingNew }) => nothingNew.cpuSeconds)),
      note: `${runs[0]?.nothingNew.requests ?? 0} page`,
    },
  ];
}
