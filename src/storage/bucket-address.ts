/**
 * Which object of a listed bucket a URL names. A job chooses its artifact's URL, so what is not plainly below the prefix
 * of its pipeline is no match, however it is spelled.
 */
import { type BucketRule, pipelinePart } from '../config/buckets.ts';

export interface BucketObject {
  readonly bucket: string;
  /** Decoded: neither empty nor dot segments, no backslash. */
  readonly key: string;
  /** As the address tells it; null where it does not. */
  readonly region: string | null;
}

export interface AddressOptions {
  readonly rules: readonly BucketRule[];
  /** Of S3-compatible storage (AWS_ENDPOINT_URL_S3); null: AWS. */
  readonly endpoint: URL | null;
}

/** An encoded key, and the region where the address has one. */
interface Candidate {
  readonly path: string;
  readonly region: string | null;
}

/** @returns null: no address of a listed bucket · `outside`: of one, but not below a prefix of this pipeline */
export function locate(
  url: URL,
  pipeline: string,
  { rules, endpoint }: AddressOptions,
): BucketObject | 'outside' | null {
  if (rules.length === 0 || !isPlain(url)) return null;
  let isListed = false;
  for (const rule of rules) {
    for (const { path, region } of candidates(url, rule, endpoint)) {
      isListed = true;
      const key = decodeKey(path);
      if (key !== null && isBelow(key, rule.prefix.replaceAll(pipelinePart, pipeline)))
        return { bucket: rule.bucket, key, region };
    }
  }
  return isListed ? 'outside' : null;
}

/** With a query it is a signed link or asks for something else than the object. */
function isPlain({ protocol, username, password, search, hash }: URL): boolean {
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '';
}

/**
 * The agent tells `https://<bucket>.s3.amazonaws.com/<key>` unless it has an access URL, also where it uploads to an
 * endpoint of one's own: so AWS's names mean the listed bucket there, too.
 * @see https://github.com/buildkite/agent/blob/main/internal/artifact/s3_uploader.go
 */
function candidates(url: URL, { bucket, accessUrl }: BucketRule, endpoint: URL | null): Candidate[] {
  const found: Candidate[] = [];
  const region = awsRegion(url.host, bucket);
  if (region !== null) found.push({ path: url.pathname.slice(1), region: region.name });
  const pathStyle = awsRegion(`${bucket}.${url.host}`, bucket);
  if (pathStyle !== null) found.push(...below(url.pathname, `/${bucket}/`, pathStyle.name));
  if (endpoint !== null && url.protocol === endpoint.protocol) {
    const base = endpoint.pathname.replace(/\/$/, '');
    if (url.host === endpoint.host) found.push(...below(url.pathname, `${base}/${bucket}/`, null));
    if (url.host === `${bucket}.${endpoint.host}`) found.push(...below(url.pathname, `${base}/`, null));
  }
  if (accessUrl !== null) found.push(...below(url.href, `${accessUrl}/`, null));
  return found;
}

function below(text: string, start: string, region: string | null): Candidate[] {
  return text.startsWith(start) ? [{ path: text.slice(start.length), region }] : [];
}

/**
 * `s3`, `s3.<region>`, `s3-<region>` (older), with `-fips`, `.dualstack` or `-accelerate`, of AWS's two domains.
 * @see https://docs.aws.amazon.com/general/latest/gr/s3.html
 */
const awsHost = /^s3(?:-fips)?(?:-accelerate)?(?:\.dualstack)?(?:[.-]([a-z]{2,}(?:-[a-z]+)+-\d+|external-1))?$/;

/** @returns the region that a virtual-hosted address of the bucket has; null: it is none */
function awsRegion(host: string, bucket: string): { name: string | null } | null {
  const [, label] = /^(.+)\.amazonaws\.com(?:\.cn)?$/.exec(host) ?? [];
  if (label === undefined || !label.startsWith(`${bucket}.`)) return null;
  const match = awsHost.exec(label.slice(bucket.length + 1));
  if (match === null) return null;
  const [, region] = match;
  return { name: region === 'external-1' ? 'us-east-1' : (region ?? null) };
}

/** @returns null for what servers might read in two ways: encoded slashes, dot segments, empty ones, bad UTF-8 */
function decodeKey(path: string): string | null {
  if (/%2f|%5c|%00|\\/i.test(path)) return null;
  try {
    const segments = path.split('/').map(decodeURIComponent);
    return segments.some((segment) => segment === '' || /^(?:\.|%2e){1,2}$/i.test(segment)) ? null : segments.join('/');
  } catch (thrown) {
    if (thrown instanceof URIError) return null;
    throw thrown;
  }
}

function isBelow(key: string, prefix: string): boolean {
  return prefix === '' || key.startsWith(`${prefix}/`);
}
