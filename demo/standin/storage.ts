/**
 * The artifact storage, as S3 behaves behind presigned links: GET alone is signed for, ranges and conditions work, and
 * a request that brings an Authorization besides the signature is refused.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, storageError } from './answer.ts';
import { bytesOf } from './bytes.ts';
import { distort, type FaultKind } from './faults.ts';
import { checkLink } from './links.ts';
import { parseRange } from './range.ts';
import type { ArtifactState } from './sample.ts';
import type { StoredArtifact, Upstream } from './upstream.ts';

const bucket = 'buildkiteartifacts.com';

/**
 * `/<bucket>/<organization uuid>/<pipeline uuid>/<build uuid>/<job uuid>/<path>`: no artifact id, so that what a job
 * uploads twice under one path is there once. A path that no URL can hold gets a name of its own.
 */
export function objectPath({ artifact, job }: StoredArtifact): string {
  const { organization, pipeline, id } = job.home.build;
  const parts = artifact.path.split('/');
  const plain = artifact.path.isWellFormed() && parts.every((part) => part !== '' && part !== '.' && part !== '..');
  const key = plain ? parts.map(encodeURIComponent).join('/') : `${unnamable}/${artifact.id}`;
  return `/${bucket}/${organization.id}/${pipeline.id}/${id}/${job.job.id}/${key}`;
}

const unnamable = '.unnamable';

/** The object of such an artifact is no longer there. */
const gone: ReadonlySet<ArtifactState> = new Set(['deleted', 'expired']);

export interface StorageRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly fault: FaultKind | null;
  readonly now: number;
}

export function answerStorage(upstream: Upstream, request: StorageRequest): Answer {
  const refused = refuse(request);
  if (refused !== null) return refused;
  const stored = findObject(upstream, request.path);
  if (stored === undefined || gone.has(stored.artifact.state)) {
    return storageError(404, 'NoSuchKey', 'The specified key does not exist.');
  }
  return serve(stored, request);
}

function refuse(request: StorageRequest): Answer | null {
  if (request.headers.authorization !== undefined) {
    const only = 'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter should be specified';
    return storageError(400, 'InvalidArgument', only);
  }
  // The signature covers the method, which is GET.
  const verdict = request.method === 'GET' ? checkLink(request.path, request.query, request.now) : 'tampered';
  if (request.fault?.kind === 'expired' || verdict === 'expired') {
    return storageError(403, 'AccessDenied', 'Request has expired');
  }
  if (verdict === 'missing') return storageError(403, 'AccessDenied', 'Access Denied');
  if (verdict === 'tampered') {
    const differs = 'The request signature we calculated does not match the signature you provided.';
    return storageError(403, 'SignatureDoesNotMatch', differs);
  }
  return null;
}

function findObject(upstream: Upstream, path: string): StoredArtifact | undefined {
  const [, , , , , jobId = '', ...rest] = path.split('/');
  const job = upstream.objects.job(jobId);
  if (job === undefined || !('objects' in job)) return undefined;
  if (rest[0] === unnamable) return upstream.objects.artifact(rest[1] ?? '');
  return job.objects.get(rest.map(decodeURIComponent).join('/'));
}

function serve(stored: StoredArtifact, request: StorageRequest): Answer {
  const { fault } = request;
  const { artifact } = stored;
  const bytes = distort(bytesOf(artifact.content), fault);
  const etag = `"${fault?.kind === 'replace' ? 'ffffffffffffffffffffffffffffffff' : stored.etag}"`;
  const condition = request.headers['if-match'];
  if (condition !== undefined && condition !== '*' && condition !== etag) {
    return storageError(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  }
  const headers = {
    'x-amz-request-id': '4B5A1C8E0F2D7A93',
    'last-modified': new Date(stored.job.job.createdAt).toUTCString(),
    etag,
    'accept-ranges': 'bytes',
    'content-type': artifact.mimeType,
    server: 'AmazonS3',
  };
  const ifRange = request.headers['if-range'];
  const range = ifRange !== undefined && ifRange !== etag ? null : parseRange(request.headers.range, bytes.size);
  if (range === 'unsatisfiable') {
    const answer = storageError(416, 'InvalidRange', 'The requested range is not satisfiable');
    return { ...answer, headers: { ...answer.headers, 'content-range': `bytes */${bytes.size}` } };
  }
  if (range === null)
    return { status: 200, headers: { ...headers, 'content-length': String(bytes.size) }, body: bytes };
  const { start, end } = range;
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(end - start),
      'content-range': `bytes ${start}-${end - 1}/${bytes.size}`,
    },
    body: { size: end - start, slices: (from, to) => bytes.slices(start + from, start + to) },
  };
}
