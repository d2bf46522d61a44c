/** A job's log: streamed to staging as plain text, visible once its transfer has ended properly. */

import type { RestAnswer } from '../src/buildkite/rest.ts';
import type { UpstreamRef } from '../src/buildkite/sight.ts';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import { hasFailed, type JobFacts, type LogRecord } from '../src/model.ts';
import { placeStaged } from '../src/tree/blobs.ts';
import { removeStaged, type Staged, StagedFile } from '../src/tree/staging.ts';
import { temporaryFile } from '../src/tree/temporary.ts';
import type { WorkerContext } from './context.ts';
import { refusePurged } from './fetch-artifact.ts';

/** Buildkite's own bound on a job's log is 1,024 MiB; the rest is for what its timestamps add. */
const maxLogBytes = 1.25 * 1024 ** 3;
/** So much of a log is reserved at a time. */
const partBytes = 4 * 1024 ** 2;
/** A log may come a little after its job's end. */
const logComesWithinMs = 60_000;

export interface LogTarget {
  readonly ref: UpstreamRef;
  readonly base: string;
  readonly known: Set<string>;
  /** Bytes that are stored of it already: no more than that is no news. */
  readonly have: number;
  /** It is not looked for again. */
  readonly isLast: boolean;
}

/** The log's record before anything was fetched; null where a job has none to expect. */
export function planLog(job: JobFacts, before: LogRecord | null, logs: boolean): LogRecord | null {
  if (job.type !== 'script' || job.started_at === null) return null;
  if (before !== null && (before.state === 'present' || before.state === 'dropped' || before.state === 'purged'))
    return before;
  const empty = { url: null, size: 0, sha256: null, fetched_at: null };
  return logs
    ? { ...empty, state: 'pending', reason: before?.state === 'failed' ? before.reason : 'not fetched yet' }
    : { ...empty, state: 'excluded', reason: 'KITEMIRROR_LOGS is off' };
}

/** @returns the record after the attempt; `pending` when it may still come; null where there is no more than what is stored */
export async function fetchLog(
  worker: WorkerContext,
  job: JobFacts,
  target: LogTarget,
  signal: AbortSignal,
): Promise<LogRecord | null> {
  const fetchedAt = new Date().toISOString();
  const late = job.finished_at === null || Date.now() - Date.parse(job.finished_at) < logComesWithinMs;
  try {
    const how = { ahead: hasFailed(job), mayLack: late && !target.isLast && target.have === 0 };
    const staged = await stage(worker, (on) => worker.upstream.openLog(target.ref, job.id, how, on), signal);
    if (target.have > 0 && staged.size <= target.have) {
      removeStaged(staged.file);
      return null;
    }
    await refusePurged(worker, staged);
    worker.onStored(placeStaged(worker.paths, staged, target.base, 'log.txt', target.known));
    const { size, sha256 } = staged;
    return { url: `jobs/${job.id}/log.txt`, size, sha256, state: 'present', reason: null, fetched_at: fetchedAt };
  } catch (thrown) {
    const error = toMirrorError(thrown);
    const empty = { url: null, size: 0, sha256: null, fetched_at: fetchedAt };
    // The beginning of it that is stored was found to be without it.
    if (error.code === 'ERR_BLOB_PURGED' && target.have > 0) return null;
    if (error.code === 'ERR_BLOB_PURGED') return { ...empty, state: 'purged', reason: error.message };
    if (error.code === 'ERR_DOWNLOAD_REFUSED') return { ...empty, state: 'refused', reason: error.message };
    if (error.code !== 'ERR_UPSTREAM_GONE') throw thrown;
    return late && !target.isLast
      ? { ...empty, state: 'pending', reason: 'upstream has no log yet' }
      : { ...empty, state: 'lost', reason: 'upstream has no log' };
  }
}

type Open = (signal: AbortSignal) => Promise<RestAnswer>;

/** Room for it is reserved as it comes: upstream does not say beforehand how long a log is. */
async function stage(worker: WorkerContext, open: Open, signal: AbortSignal): Promise<Staged> {
  const parts = [await worker.space.reserve(partBytes, signal)];
  const room = async (bytes: number): Promise<void> => {
    while (bytes > parts.length * partBytes) parts.push(await worker.space.reserve(partBytes, signal));
  };
  try {
    return await receive(worker, open, room, signal);
  } finally {
    for (const release of parts) release();
  }
}

async function receive(
  worker: WorkerContext,
  open: Open,
  room: (bytes: number) => Promise<void>,
  signal: AbortSignal,
): Promise<Staged> {
  const answer = await open(signal);
  const sink = new StagedFile(temporaryFile(worker.paths), worker.staging, false);
  try {
    const type = String(answer.headers['content-type'] ?? '');
    // A page of some proxy's in between is no log.
    if (type.includes('html')) throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'the log is a page of HTML');
    if (type.includes('json')) {
      const content = await contentOf(answer.body);
      await room(content.length);
      sink.write(content);
    } else {
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        const bytes = sink.received + chunk.length;
        if (bytes > maxLogBytes)
          throw new MirrorError('ERR_DOWNLOAD_REFUSED', `the log is larger than ${maxLogBytes} bytes`);
        await room(bytes);
        if (!sink.write(chunk)) await sink.drained();
      }
    }
    return await sink.finish();
  } catch (thrown) {
    sink.discard();
    answer.body.destroy();
    const error = toMirrorError(thrown);
    if (error.code !== 'ERR_INTERNAL') throw error;
    throw new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'the log broke off', {}, thrown);
  }
}

/** Where plain text is not to be had, the JSON form holds the same text. */
async function contentOf(body: { json(): Promise<unknown> }): Promise<Buffer> {
  const answer = await body.json();
  const content = typeof answer === 'object' && answer !== null && 'content' in answer ? answer.content : null;
  if (typeof content !== 'string') throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'the log has no content');
  return Buffer.from(content, 'utf8');
}
