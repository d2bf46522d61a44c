/** One artifact: reserve, resolve, download to staging, verify, store, link. Nothing is visible before it is verified. */
import type { UpstreamRef } from '../src/buildkite/sight.ts';
import { type ErrorCode, MirrorError, toMirrorError } from '../src/errors.ts';
import type { ArtifactFacts } from '../src/model.ts';
import { placeStaged } from '../src/tree/blobs.ts';
import { readBytes } from '../src/tree/files.ts';
import { type SealedValue, ValueFinder } from '../src/tree/sealed-values.ts';
import { removeStaged, type Staged, StagedFile } from '../src/tree/staging.ts';
import { temporaryFile } from '../src/tree/temporary.ts';
import { noteTooLarge } from '../src/tree/too-large.ts';
import type { WorkerContext } from './context.ts';

/** A link lives a minute or ten; a download that outlives three is not one. */
const maxLinks = 3;
const bucketErrors: ReadonlySet<ErrorCode> = new Set(['ERR_BUCKET_DENIED', 'ERR_BUCKET_GONE']);

export interface FetchTarget {
  readonly ref: UpstreamRef;
  /** The job's folder on disk, the file's place in it, and the folders known to be there. */
  readonly base: string;
  readonly file: string;
  readonly known: Set<string>;
  /** Artifacts of the build that are still to be fetched, as far as is known. */
  readonly missingInBuild: number;
}

export type Sums = Pick<Staged, 'sha256' | 'crc32'>;

/**
 * @returns what the stored bytes sum up to; they are stored under the SHA-256
 * @throws MirrorError ERR_BLOB_MISMATCH with `expected` and `found`, ERR_DOWNLOAD_REFUSED, ERR_UPSTREAM_GONE, …
 */
export async function fetchArtifact(
  worker: WorkerContext,
  facts: ArtifactFacts,
  target: FetchTarget,
  signal: AbortSignal,
): Promise<Sums> {
  const release = await reserve(worker, facts.size, signal);
  try {
    const staged = await fetchVerified(worker, facts, target, signal);
    await refusePurged(worker, staged);
    worker.onStored(placeStaged(worker.paths, staged, target.base, target.file, target.known));
    return { sha256: staged.sha256, crc32: staged.crc32 };
  } finally {
    release();
  }
}

/** What the disk could never hold is noted before it is refused: a larger disk brings it back. */
async function reserve({ space, paths }: WorkerContext, bytes: number, signal: AbortSignal): Promise<() => void> {
  try {
    return await space.reserve(bytes, signal);
  } catch (thrown) {
    if (toMirrorError(thrown).code === 'ERR_DOWNLOAD_REFUSED') await noteTooLarge(paths, bytes);
    throw thrown;
  }
}

/** @throws MirrorError ERR_BLOB_PURGED for bytes, or a value in them, that an operator had removed; they are gone again then */
export async function refusePurged(worker: WorkerContext, staged: Staged): Promise<void> {
  const { sha256, file } = staged;
  const isSame = worker.isPurged(sha256);
  if (!isSame && !(await holdsPurged(worker, staged))) return;
  removeStaged(file);
  const why = isSame ? 'removed by an operator' : 'holds a value that was removed by an operator';
  throw new MirrorError('ERR_BLOB_PURGED', `${why}, and not mirrored again`, { sha256 });
}

/** Also a value that was purged while it came in, or was looked through. */
async function holdsPurged({ purgedValues }: WorkerContext, { file, finder }: Staged): Promise<boolean> {
  if (finder?.found === true) return true;
  let looked: readonly SealedValue[] = finder?.values ?? [];
  for (let values = purgedValues(); values.length > 0 && values !== looked; values = purgedValues()) {
    const again = new ValueFinder(values);
    for await (const chunk of readBytes(file)) again.update(chunk);
    if (again.found) return true;
    looked = values;
  }
  return false;
}

/** By a link that was had in bulk where there is one; whatever is wrong with that, REST has this artifact's own. */
async function fetchVerified(
  worker: WorkerContext,
  facts: ArtifactFacts,
  { ref, missingInBuild }: FetchTarget,
  signal: AbortSignal,
): Promise<Staged> {
  const link = await worker.links.find(ref, facts, missingInBuild, signal);
  // What upstream states beside a link holds for the bytes, wherever they come from.
  const stated = link?.sha256 == null ? facts : { ...facts, sha256: link.sha256 };
  try {
    return verify(await stage(worker, stated, ref, link?.url ?? null, signal), stated);
  } catch (thrown) {
    if (link === null || toMirrorError(thrown).code !== 'ERR_BLOB_MISMATCH') throw thrown;
    worker.links.forget(facts.id);
    return verify(await stage(worker, stated, ref, null, signal), stated);
  }
}

/** @param bulk the link to begin with; null: REST is asked for one */
async function stage(
  worker: WorkerContext,
  facts: ArtifactFacts,
  ref: UpstreamRef,
  bulk: URL | null,
  signal: AbortSignal,
): Promise<Staged> {
  const { paths, upstream, storage } = worker;
  const wanted = { pipeline: ref.pipeline, size: facts.size, signal };
  // The better sum is enough where upstream states both.
  const sink = new StagedFile(temporaryFile(paths), worker.staging, facts.sha256 === null);
  try {
    if (bulk === null || !(await downloaded(bulk))) await downloadByRest();
    return await sink.finish();
  } catch (thrown) {
    sink.discard();
    throw thrown;
  }

  /** What came in by a link that then expired is kept: the next one goes on where it ended. */
  async function downloaded(url: URL): Promise<boolean> {
    try {
      await storage.read(url, sink, wanted);
      return true;
    } catch (thrown) {
      // A bucket's address is the same by REST, and costs a request there.
      if (signal.aborted || bucketErrors.has(toMirrorError(thrown).code)) throw thrown;
      worker.links.forget(facts.id);
      if (toMirrorError(thrown).code !== 'ERR_DOWNLOAD_EXPIRED') sink.restart();
      return false;
    }
  }

  async function downloadByRest(): Promise<void> {
    for (let link = 1; ; link += 1) {
      const url = await upstream.resolveDownload(ref, facts.job_id, facts.id, signal);
      try {
        await storage.read(url, sink, wanted);
        return;
      } catch (thrown) {
        if (toMirrorError(thrown).code !== 'ERR_DOWNLOAD_EXPIRED' || link >= maxLinks) throw thrown;
      }
    }
  }
}

/** @returns what it was given @throws MirrorError ERR_BLOB_MISMATCH */
function verify(staged: Staged, { size, sha1, sha256 }: ArtifactFacts): Staged {
  const wrong = [
    [`${size} bytes`, `${staged.size} bytes`],
    [staged.sha1 === null ? null : (sha1 ?? staged.sha1), staged.sha1],
    [sha256 ?? staged.sha256, staged.sha256],
  ].find(([expected, found]) => expected !== found);
  if (wrong === undefined) return staged;
  removeStaged(staged.file);
  const [expected, found] = wrong;
  throw new MirrorError('ERR_BLOB_MISMATCH', `upstream states ${expected} and sent ${found}`, { expected, found });
}
