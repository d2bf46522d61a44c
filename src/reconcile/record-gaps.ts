/** Differences become gaps in the tree, and then tasks: what is on disk survives whatever becomes of the queue. */
import type { ListedBuild } from '../buildkite/build-list.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { DataPaths } from '../tree/paths.ts';
import { openUnsettled, type UnsettledBuild } from '../tree/unsettled.ts';
import { endOf } from './judge.ts';

export interface GapParts {
  readonly paths: DataPaths;
  readonly queue: Pick<TaskQueue, 'enqueue'>;
  readonly organization: string;
}

export interface Difference {
  readonly build: ListedBuild;
  readonly learnedFrom: UnsettledBuild['learnedFrom'];
  /** Since when it is a gap (ISO 8601). */
  readonly since: string;
  readonly workClass: 'live' | 'reconcile' | 'bulk';
  /** Look at each of its jobs, also where the build is mirrored as it is. */
  readonly again?: boolean;
}

const atOnce = 8;

/** The gaps' own folder is synced by who writes the mark. @throws MirrorError ERR_QUEUE_UNAVAILABLE with the gaps on disk */
export async function recordGaps(parts: GapParts, differences: readonly Difference[]): Promise<void> {
  await inTurns(differences, (difference) => openGap(parts, difference));
  await inTurns(differences, (difference) => enqueueLook(parts, difference));
}

async function openGap({ paths, organization }: GapParts, { build, learnedFrom, since }: Difference): Promise<void> {
  const { id, pipeline, number } = build;
  await openUnsettled(paths, {
    version: 1,
    organization,
    pipeline,
    number,
    build: id,
    pipelineId: null,
    since,
    learnedFrom,
  });
}

async function enqueueLook({ queue, organization }: GapParts, difference: Difference): Promise<void> {
  const { build, learnedFrom, workClass, again = false } = difference;
  const finishedAt = endOf(build);
  const where = { organization, pipeline: build.pipeline, number: build.number, build: build.id };
  const payload = { ...where, learnedFrom, heardAt: Date.now(), finishedAt, job: null, again };
  await queue.enqueue({ name: 'read-build', payload }, { workClass });
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const turn = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, turn));
}
