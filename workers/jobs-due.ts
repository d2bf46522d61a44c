/** Which jobs of a build are to be looked at, from what upstream says of them and what the tree has of them already. */
import {
  type ArtifactFacts,
  type BuildFacts,
  type FileState,
  isFinishedBuild,
  isFinishedJob,
  type JobFacts,
  type JobRecord,
} from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { damaged, orDamaged, readBuildRecord, readJobRecord } from '../src/tree/records.ts';
import { listStubs, readStub } from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';
import { mayHaveGrown } from './log-growth.ts';

/** A list that is younger than this says what there is: a second reading may have waited some windows for its budget. */
const listedAnewMs = 5 * 60_000;

export interface DueInput {
  readonly jobs: readonly JobFacts[];
  /** Of the build. */
  readonly finished: boolean;
  readonly finishedAt: string | null;
  readonly again: boolean;
}

export interface Due {
  readonly job: JobFacts;
  readonly record: JobRecord | null;
}

/** Script jobs that have ended and are not in the tree as upstream has them; at a build's end, all are looked at once more. */
export async function jobsDue(
  { paths }: WorkerContext,
  place: Place,
  { jobs, finished, finishedAt, again }: DueInput,
): Promise<Due[]> {
  const build = finished ? await orDamaged(readBuildRecord(paths, place)) : null;
  const closed = build !== damaged && build !== null && build.settled && build.finished_at === finishedAt;
  const due: Due[] = [];
  for (const job of jobs) {
    if (job.type !== 'script' || job.started_at === null || !isFinishedJob(job.state, job.finished_at)) continue;
    const found = await orDamaged(readJobRecord(paths, place, job.id));
    // One that cannot be read is made again by who mirrors the job, from the list that follows.
    const record = found === damaged ? null : found;
    if (record === null || !record.settled || !sameFacts(record, job) || (finished && !closed) || again)
      due.push({ job, record });
  }
  return due;
}

/**
 * Jobs that were listed a moment ago, after their end, and are still at work on that: a build that two tell of (a delivery
 * and a comparison, two deliveries) pays for its lists and links once.
 */
export async function listedJustNow(
  { paths }: WorkerContext,
  due: readonly Due[],
  { build, at }: { readonly build: BuildFacts; readonly at: string },
): Promise<Set<string>> {
  const listed = new Set<string>();
  const waiting = new Set(await listStubs(paths, build.id));
  const finished = isFinishedBuild(build.state, build.finished_at);
  for (const { job, record } of due) {
    if (!waiting.has(job.id) || record?.settled) continue;
    const stub = (await readStub(paths, build.id, job.id))?.stub;
    if (stub === undefined || !sameFacts(stub.job, job) || stub.buildFinished !== finished) continue;
    if (record !== null && record.listed_at !== stub.listedAt) continue;
    if (stub.logMayHaveGrown !== (finished && mayHaveGrown(job, record, build.finished_at))) continue;
    const listedAt = Date.parse(stub.listedAt);
    const isYoung = Date.parse(at) - listedAt < listedAnewMs && listedAt > Date.parse(job.finished_at ?? at);
    if (isYoung && stub.artifacts.every(({ state }) => state === 'finished')) listed.add(job.id);
  }
  return listed;
}

function sameFacts(record: Pick<JobFacts, 'state' | 'retried' | 'finished_at'>, job: JobFacts): boolean {
  return record.state === job.state && record.retried === job.retried && record.finished_at === job.finished_at;
}

export function isUpToDate(record: JobRecord, job: JobFacts, artifacts: readonly ArtifactFacts[]): boolean {
  if (!record.settled || !sameFacts(record, job) || record.artifacts.length !== artifacts.length) return false;
  const known = new Map(record.artifacts.map((artifact) => [artifact.id, artifact.upstream_state]));
  return artifacts.every((artifact) => known.get(artifact.id) === artifact.state);
}

const wanting: ReadonlySet<FileState> = new Set(['lost', 'refused', 'excluded']);

/** Something of it is not here that another look may bring: it is there again, or the settings let it in by now. */
export function isWanting({ log, artifacts }: JobRecord): boolean {
  return artifacts.some(({ state }) => wanting.has(state)) || (log !== null && wanting.has(log.state));
}
