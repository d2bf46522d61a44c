/** Our side: the whole mirror as `npm start` runs it, fed by signed webhooks at its front door. */
import { readFileSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { deliver } from '../demo/deliver.ts';
import type { SampleBuild } from '../demo/standin/sample.ts';
import type { BuildRecord } from '../src/model.ts';
import { type DataPaths, dataPaths } from '../src/tree/paths.ts';
import { until } from './children.ts';
import { organization, pipeline } from './files.ts';
import type { Origin } from './origin.ts';
import { ticksOf } from './process.ts';
import { planStack } from './stack.ts';

/** A build of 10,000 artifacts that upstream's limits hold back takes minutes. */
const publishedWithinMs = 10 * 60_000;

export interface BenchMirror {
  readonly url: string;
  readonly paths: DataPaths;
  /** KITEMIRROR_CONCURRENCY */
  readonly concurrency: number;
  readonly webhookToken: string;
  pids(): Record<string, number>;
  /** Delivers the build's end and waits until it is published: settled and complete. @returns ms */
  mirror(build: SampleBuild): Promise<number>;
  /** The build's folder in the tree. */
  folderOf(build: SampleBuild): string;
  /** Removes the build's files from tree and blobs; what is mirrored next is new again. */
  forget(build: SampleBuild): Promise<void>;
  /** Waits until no program of it has anything to do. */
  quiet(): Promise<void>;
  stop(): Promise<void>;
}

/** @param more settings besides the usual ones, or instead of them */
export async function startMirror(
  folder: string,
  origin: Pick<Origin, 'address'>,
  signal: AbortSignal,
  more: NodeJS.ProcessEnv = {},
): Promise<BenchMirror> {
  const data = join(folder, 'mirror');
  const settings = await planStack({ data, organization, upstream: origin.address, more, least: 'warn' }, { signal });
  const stack = await settings.start();
  const paths = dataPaths(data);
  const placeOf = ({ number }: SampleBuild) => ({ organization, folder: pipeline.slug, number });

  async function mirror(build: SampleBuild): Promise<number> {
    const file = paths.buildFile(placeOf(build), 'build.json');
    const startedAt = performance.now();
    const status = await deliver(
      `${settings.url}/-/webhooks/buildkite`,
      'build.finished',
      build,
      null,
      settings.webhookToken,
    );
    if (status !== 202) throw new Error(`the delivery was answered ${status}`);
    const isPublished = publishedSince(file);
    await Promise.race([
      until(isPublished, `build ${build.number}`, { signal, timeoutMs: publishedWithinMs }),
      stack.broken.then((fault) => Promise.reject(fault)),
    ]);
    return performance.now() - startedAt;
  }

  return {
    url: settings.url,
    paths,
    concurrency: stack.config.concurrency,
    webhookToken: settings.webhookToken,
    pids: () => stack.pids(),
    mirror,
    folderOf: (build) => paths.build(placeOf(build)),
    forget: async (build) => {
      await rm(paths.build(placeOf(build)), { recursive: true });
      await rm(paths.blobs, { recursive: true });
    },
    quiet: () => quiet(Object.values(stack.pids()), signal),
    stop: async () => {
      await stack.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Looks at the record only when it has changed: it is written some times while jobs come in. */
function publishedSince(file: string): () => boolean {
  let seen = 0n;
  return () => {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || stat.mtimeNs === seen) return false;
    seen = stat.mtimeNs;
    const record = JSON.parse(readFileSync(file, 'utf8')) as BuildRecord;
    return record.settled && record.complete;
  };
}

/** No processor time in a while: derived pages and the like are written after a build is published. */
async function quiet(pids: readonly number[], signal: AbortSignal): Promise<void> {
  let before = Number.NaN;
  const isQuiet = (): boolean => {
    const now = pids.reduce((sum, pid) => sum + ticksOf(pid), 0);
    const isSame = now - before <= 1;
    before = now;
    return isSame;
  };
  await until(isQuiet, 'the mirror to be idle', { signal, timeoutMs: 20_000, everyMs: 150 });
  await pause(20);
}
