/** `KITEMIRROR_S3_BUCKETS`: which private buckets may be read, and where in them each pipeline's artifacts lie. */
import { elements } from './values.ts';

export interface BucketRule {
  readonly bucket: string;
  /** Folders without a slash at either end, as in `ci/{pipeline}`; empty: the whole bucket. */
  readonly prefix: string;
  /** What agents have as BUILDKITE_S3_ACCESS_URL, without a slash at its end; null: S3's own addresses. */
  readonly accessUrl: string | null;
}

/** Stands in a prefix for the slug of the artifact's pipeline. */
export const pipelinePart = '{pipeline}';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const bucketName = /^(?!\d+(?:\.\d+){3}$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

/** `bucket[/prefix][=access URL]`, comma-separated. */
export function parseBuckets(value: string): BucketRule[] {
  const rules = elements(value).map(parseBucket);
  if (rules.length === 0) throw new Error('names no bucket');
  return rules;
}

function parseBucket(element: string): BucketRule {
  const [, place = '', accessUrl = null] = /^(.*?)(?:=(https?:\/\/.*))?$/i.exec(element) ?? [];
  const [bucket = '', ...folders] = place.replace(/\/$/, '').split('/');
  if (!bucketName.test(bucket)) throw new Error(`has "${element}", which does not begin with a bucket's name`);
  if (folders.some((folder) => folder === '' || folder === '.' || folder === '..')) {
    throw new Error(`has "${element}", whose prefix has an empty folder, "." or ".."`);
  }
  const prefix = folders.join('/');
  if (/[{}*?\\]/.test(prefix.replaceAll(pipelinePart, ''))) {
    throw new Error(`has "${element}", whose prefix may hold ${pipelinePart} and no other pattern`);
  }
  return { bucket, prefix, accessUrl: accessUrl === null ? null : parseAccessUrl(accessUrl, element) };
}

function parseAccessUrl(text: string, element: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`has "${element}", whose access URL is none, or has a user name, query or fragment`);
  }
  return url.href.replace(/\/$/, '');
}
