/** One artifact: reserve, resolve, download to staging, verify, store, link. Nothing is visible before it is verified. */
import { randomBytes } from 'node:crypto';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import type { ArtifactFacts, BuildRef } from '../src/model.ts';
import { placeStaged } from '../src/tree/blobs.ts';
import { removeStaged, type Staged, StagedFile } from '../src/tree/staging.ts';
import type { WorkerContext } from './context.ts';

/** A link lives a minute or ten; a download that outlives three is not one. */
const maxLinks = 3;

export interface FetchTarget {
  readonly ref: BuildRef;
  /** The job's folder on disk, the file's place in it, and the folders known to be there. */
  readonly base: string;
  readonly file: string;
  readonly known: Set<string>;
}

/**
 * @returns the SHA-256 under which the bytes are stored
 * @throws MirrorError ERR_BLOB_MISMATCH with `expected` and `found`, ERR_DOWNLOAD_REFUSED, ERR_UPSTREAM_GONE, …
 */
export async function fetchArtifact(
  worker: WorkerContext,
  facts: ArtifactFacts,
  target: FetchTarget,
  signal: AbortSignal,
): Promise<string> {
  const release = await worker.space.reserve(facts.size, signal);
  try {
    const staged = await stage(worker, facts, target.ref, signal);
    verify(staged, facts);
    worker.onStored(placeStaged(worker.paths, staged, target.base, target.file, target.known));
    return staged.sha256;
  } finally {
    release();
  }
}

async function stage(worker: WorkerContext, facts: ArtifactFacts, ref: BuildRef, signal: AbortSignal): Promise<Staged> {
  const { paths, upstream, storage, instance } = worker;
  const wanted = { pipeline: ref.pipeline, size: facts.size, signal };
  const name = `${instance}.${randomBytes(8).toString('hex')}.part`;
  const sink = new StagedFile(paths.stagingFile(name), worker.staging);
  try {
    for (let link = 1; ; link += 1) {
      const url = await upstream.resolveDownload(ref, facts.job_id, facts.id, signal);
      try {
        await storage.read(url, sink, wanted);
        break;
      } catch (thrown) {
        // What came in so far is kept: the next link goes on where this one ended.
        if (toMirrorError(thrown).code !== 'ERR_DOWNLOAD_EXPIRED' || link >= maxLinks) throw thrown;
      }
    }
    return await sink.finish();
  } catch (thrown) {
    sink.discard();
    throw thrown;
  }
}

function verify(staged: Staged, facts: ArtifactFacts): void {
  const sizeFits = staged.size === facts.size;
  const sha1Fits = facts.sha1 === null || staged.sha1 === facts.sha1;
  const sha256Fits = facts.sha256 === null || staged.sha256 === facts.sha256;
  if (sizeFits && sha1Fits && sha256Fits) return;
  removeStaged(staged.file);
  const [expected, found] = sizeFits
    ? [facts.sha1 ?? facts.sha256, facts.sha1 === null ? staged.sha256 : staged.sha1]
    : [`${facts.size} bytes`, `${staged.size} bytes`];
  throw new MirrorError('ERR_BLOB_MISMATCH', `upstream states ${expected} and sent ${found}`, { expected, found });
}
