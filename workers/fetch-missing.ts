/** The loop over what a job lacks: each file ends as present, or with a state and the reason for it. */
import { MirrorError, toMirrorError } from '../src/errors.ts';
import type { ArtifactFacts, ArtifactRecord, LogRecord } from '../src/model.ts';
import type { JobStub } from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';
import { type FetchTarget, fetchArtifact, type Sums } from './fetch-artifact.ts';
import { fetchLog } from './fetch-log.ts';
import { withKnownSum } from './list-artifacts.ts';
import type { PlannedArtifact } from './plan-job.ts';
import { forEachInSlots } from './slots.ts';

/** A job while it is worked on. The records in `artifacts` and `log` change as files come in. */
export interface JobWork {
  readonly stub: JobStub;
  /** The job's folder. */
  readonly base: string;
  readonly artifacts: ArtifactRecord[];
  readonly missing: PlannedArtifact[];
  /** Of the whole build, as far as is known. */
  readonly missingInBuild: number;
  log: LogRecord | null;
  /** A log that upstream still has none of will not come any more. */
  readonly logGivenUp: boolean;
  /** When its record was made again, as one that could not be read (ISO 8601). */
  readonly salvagedAt: string | null;
  /** Folders below `base` that are known to be there. */
  readonly folders: Set<string>;
}

/** The disk is full, the build was moved, the token may not, or sees nothing: no other file of the job would fare better. */
const ends = new Set(['ERR_TREE_FULL', 'ERR_TREE_MOVED', 'ERR_UPSTREAM_DENIED', 'ERR_UPSTREAM_UNSEEN', 'ERR_STOPPING']);

/** @returns why something is to be tried again; null when nothing is */
export async function fetchMissing(
  worker: WorkerContext,
  work: JobWork,
  signal: AbortSignal,
): Promise<MirrorError | null> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  let failure: MirrorError | null = null;
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    if (both.aborted) return;
    try {
      await step();
    } catch (thrown) {
      const error = toMirrorError(thrown);
      if (stop.signal.aborted) return;
      failure ??= error;
      if (signal.aborted || ends.has(error.code)) {
        failure = error;
        stop.abort(error);
      }
    }
  };
  await Promise.all([
    // One a job, and few jobs are at work: it does not wait behind thousands of files.
    attempt(() => takeLog(worker, work, both)),
    forEachInSlots(worker.slots, work.missing, work.missing.length, (item) =>
      attempt(() => takeArtifact(worker, work, item, both)),
    ),
  ]);
  signal.throwIfAborted();
  return failure;
}

async function takeArtifact(
  worker: WorkerContext,
  work: JobWork,
  { facts, file, record }: PlannedArtifact,
  signal: AbortSignal,
): Promise<void> {
  const { stub: ref, base, folders: known, missingInBuild } = work;
  const target: FetchTarget = { ref, base, file, known, missingInBuild };
  try {
    const sums = await fetchOrRefresh(worker, facts, target, record, signal);
    if (sums === null) return;
    Object.assign(record, { ...sums, state: 'present', reason: null });
    worker.onArtifact('present', record.size);
  } catch (thrown) {
    const error = toMirrorError(thrown);
    if (signal.aborted) throw thrown;
    if (error.code === 'ERR_BLOB_PURGED') {
      giveUp(worker, record, 'purged', error.message);
      return;
    }
    if (error.code === 'ERR_DOWNLOAD_REFUSED') {
      giveUp(worker, record, 'refused', error.message);
      return;
    }
    if (error.code === 'ERR_BUCKET_GONE') {
      giveUp(worker, record, 'lost', error.message);
      return;
    }
    // Of what cannot be seen nothing is known: it waits as it did.
    if (error.code === 'ERR_UPSTREAM_UNSEEN') {
      Object.assign(record, { reason: error.message });
      throw error;
    }
    Object.assign(record, { state: 'failed', reason: error.message });
    worker.onArtifact('failed', 0);
    throw error;
  }
}

function giveUp(worker: WorkerContext, record: ArtifactRecord, state: ArtifactRecord['state'], reason: string): void {
  Object.assign(record, { state, reason, url: null, merged: false });
  worker.onArtifact(state, 0);
}

/**
 * Fetches; where the bytes are gone or are others than listed, upstream is asked once what it has now.
 * @returns null when the record has its final state already
 */
async function fetchOrRefresh(
  worker: WorkerContext,
  facts: ArtifactFacts,
  target: FetchTarget,
  record: ArtifactRecord,
  signal: AbortSignal,
): Promise<Sums | null> {
  try {
    return await fetchArtifact(worker, facts, target, signal);
  } catch (thrown) {
    const { code } = toMirrorError(thrown);
    if (code !== 'ERR_UPSTREAM_GONE' && code !== 'ERR_BLOB_MISMATCH') throw thrown;
    const now = await readNow(worker, facts, target, signal);
    if (now === null || now.state === 'deleted' || now.state === 'expired') {
      giveUp(worker, record, 'lost', lostReason(now?.state ?? 'gone', record));
      return null;
    }
    if (now.state === 'error') {
      giveUp(worker, record, 'errored', 'its upload failed');
      return null;
    }
    if (code === 'ERR_UPSTREAM_GONE' && now.sha1 === facts.sha1) throw notNow(thrown);
    // Changed since it was listed, or broken on its way: once more by what upstream states now.
    Object.assign(record, { size: now.size, sha1: now.sha1, upstream_state: now.state });
    return fetchArtifact(worker, now, target, signal).catch((again: unknown) => {
      throw toMirrorError(again).code === 'ERR_UPSTREAM_GONE' ? notNow(again) : again;
    });
  }
}

/** What had been stored has a digest of ours. */
function lostReason(upstreamState: string, { sha256 }: ArtifactRecord): string {
  return sha256 === null
    ? `${upstreamState} upstream before it was mirrored`
    : `its stored bytes were damaged, and it is ${upstreamState} upstream`;
}

/** A storage that has not what upstream calls finished: to be tried again, not to be given up. */
function notNow(cause: unknown): MirrorError {
  return new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'upstream calls it finished, its storage has no bytes', {}, cause);
}

async function readNow(
  { upstream }: WorkerContext,
  facts: ArtifactFacts,
  { ref }: FetchTarget,
  signal: AbortSignal,
): Promise<ArtifactFacts | null> {
  try {
    const now = await upstream.readArtifact(ref, facts.job_id, facts.id, signal);
    return withKnownSum(now, facts);
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_UPSTREAM_GONE') return null;
    throw thrown;
  }
}

/** To ask for a log's size is a request as the log itself is: it is worth it only where the log is large. */
const largeLogBytes = 1024 * 1024;

async function takeLog(worker: WorkerContext, work: JobWork, signal: AbortSignal): Promise<void> {
  const { stub, log } = work;
  if (log === null) return;
  const again = log.state === 'present' && stub.logMayHaveGrown;
  if (log.state !== 'pending' && !again) return;
  try {
    if (again && log.size >= largeLogBytes && !(await hasGrown(worker, work, log.size, signal))) {
      work.log = { ...log, fetched_at: new Date().toISOString() };
      return;
    }
    const target = {
      ...{ ref: stub, base: work.base, known: work.folders },
      ...{ have: again ? log.size : 0, isLast: work.logGivenUp },
    };
    const fetched = await fetchLog(worker, stub.job, target, signal);
    if (fetched === null || (again && fetched.state !== 'present')) {
      work.log = { ...log, fetched_at: new Date().toISOString() };
      return;
    }
    if (fetched.state === 'present') worker.onArtifact('log', fetched.size);
    work.log = fetched;
  } catch (thrown) {
    const error = toMirrorError(thrown);
    const isRefused = error.code === 'ERR_DOWNLOAD_REFUSED';
    const state = isRefused ? 'refused' : error.code === 'ERR_UPSTREAM_UNSEEN' ? 'pending' : 'failed';
    // What we have of a log stays until the longer one is whole.
    if (log.state === 'pending') work.log = { ...log, state, reason: error.message };
    if (!isRefused) throw error;
  }
}

async function hasGrown(
  { upstream }: WorkerContext,
  work: JobWork,
  have: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const size = await upstream.logSize(work.stub, work.stub.job.id, signal);
    return size !== null && size > have;
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_UPSTREAM_GONE') return false;
    throw thrown;
  }
}
