/**
 * Artifacts in a bucket of the organization's own, as an agent with BUILDKITE_ARTIFACT_UPLOAD_DESTINATION stores them:
 * upstream then tells the object's plain address, unsigned. The bytes are nobody's here: a test puts them into a real
 * bucket, or lets them be missing.
 * @see https://buildkite.com/docs/agent/cli/reference/artifact
 */
import type { Content } from './bytes.ts';
import { isScript, type SampleArtifact, type SampleBuild, type ScriptJob } from './sample.ts';

export interface Bucket {
  readonly name: string;
  /**
   * `virtual`: `http://<name>.<host of base>/<key>` · `path`: `<base>/<name>/<key>` · `access`: `<base>/<key>`, as with
   * BUILDKITE_S3_ACCESS_URL.
   */
  readonly style: 'virtual' | 'path' | 'access';
  /** `https://s3.amazonaws.com`, `http://127.0.0.1:9000`: without a slash at its end. */
  readonly base: string;
  /** Before an artifact's path, without slashes around it; `<pipeline>/<build number>/<job id>` unless told. */
  readonly prefix?: (build: SampleBuild, job: ScriptJob) => string;
}

export interface BucketObject {
  /** As it is, not encoded. */
  readonly key: string;
  readonly content: Content;
  readonly mimeType: string;
}

/** The build with all its artifacts stored there. */
export function inBucket(build: SampleBuild, bucket: Bucket): SampleBuild {
  const stored = (job: ScriptJob) => (artifact: SampleArtifact) => ({
    ...artifact,
    location: bucketUrl(bucket, keyOf(bucket, build, job, artifact)),
  });
  return {
    ...build,
    jobs: build.jobs.map((job) => (isScript(job) ? { ...job, artifacts: job.artifacts.map(stored(job)) } : job)),
  };
}

/** What a real bucket has to hold for it. */
export function bucketObjects(build: SampleBuild, bucket: Bucket): BucketObject[] {
  return build.jobs.filter(isScript).flatMap((job) =>
    job.artifacts.map((artifact) => ({
      key: keyOf(bucket, build, job, artifact),
      content: artifact.content,
      mimeType: artifact.mimeType,
    })),
  );
}

export function bucketUrl({ name, style, base }: Bucket, key: string): string {
  const path = key.split('/').map(encodeURIComponent).join('/');
  if (style === 'virtual') return `${base.replace('://', `://${name}.`)}/${path}`;
  return style === 'path' ? `${base}/${name}/${path}` : `${base}/${path}`;
}

function keyOf(bucket: Bucket, build: SampleBuild, job: ScriptJob, { path }: SampleArtifact): string {
  const prefix = bucket.prefix?.(build, job) ?? `${build.pipeline.slug}/${build.number}/${job.id}`;
  return prefix === '' ? path : `${prefix}/${path}`;
}
