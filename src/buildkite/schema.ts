/**
 * Buildkite's REST objects as the mirror reads them: only the fields that are used, unknown fields and states pass,
 * what may be missing is null. Waiter jobs hold nothing but id and type; both date formats occur.
 */
import { z } from 'zod';
import { type ArtifactFacts, type BuildFacts, BuildNumber, type JobFacts, Slug, Uuid } from '../model.ts';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? null);
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? null);

/** What `toISOString` makes, of the days that every month has: it needs no look at the calendar. */
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/** `2018-07-01 20:14:38 UTC` (webhooks of old) or RFC 3339 → ISO 8601 in UTC; null for anything else. */
export function parseInstant(value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  if (canonical.test(value)) return value;
  const legacy = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) (?:UTC|Z)$/.exec(value);
  const date = new Date(legacy === null ? value : `${legacy[1]}T${legacy[2]}Z`);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export const Instant = z
  .string()
  .nullish()
  .transform((value) => parseInstant(value));

const Author = z
  .object({ name: text, username: text.optional() })
  .nullish()
  .transform((author) => author?.name ?? null);

/** A matrix is `{dimension: value}`, or `{"": value}` when it has but one. */
const Matrix = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((matrix) => {
    const entries = Object.entries(matrix ?? {}).flatMap(([dimension, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[dimension, String(value)] as const] : [],
    );
    return entries.length === 0 ? null : Object.fromEntries(entries);
  })
  .catch(null);

const RawJob = z.object({
  id: Uuid,
  type: z.string(),
  name: text,
  label: text,
  step_key: text,
  group_key: text.catch(null),
  state: text.transform((state) => state ?? 'finished'),
  exit_status: number.catch(null),
  soft_failed: z.boolean().nullish().transform(Boolean),
  retried: z.boolean().nullish().transform(Boolean),
  retried_in_job_id: text,
  retries_count: number.catch(null),
  parallel_group_index: number.catch(null),
  parallel_group_total: number.catch(null),
  matrix: Matrix,
  agent: z
    .object({ name: text })
    .nullish()
    .transform((agent) => agent?.name ?? null)
    .catch(null),
  web_url: text,
  created_at: Instant,
  started_at: Instant,
  finished_at: Instant,
});

export const UpstreamJob = RawJob.transform(({ label, ...job }): JobFacts => ({ ...job, name: job.name ?? label }));

/** `null` in a job's place, or an object without an id, must not cost us the other jobs. */
const Jobs = z
  .array(z.unknown())
  .nullish()
  .transform((jobs) => (jobs ?? []).flatMap((job) => UpstreamJob.safeParse(job).data ?? []));

const Pull = z
  .object({
    id: z.union([z.string(), z.number()]).nullish(),
    base: text,
    repository: text,
  })
  .nullish()
  // A build without a pull request says null, and old ones say {"id": null} or {"id": "false"}.
  .transform((pull) => {
    const id = String(pull?.id ?? '');
    return pull && /^\d+$/.test(id) ? { id, base: pull.base, repository: pull.repository } : null;
  })
  .catch(null);

const RawBuild = z.object({
  id: Uuid,
  number: BuildNumber,
  state: z.string(),
  blocked: z.boolean().nullish().transform(Boolean),
  branch: text.transform((branch) => branch ?? ''),
  tag: text,
  commit: text.transform((commit) => commit ?? ''),
  message: text,
  source: text,
  web_url: text,
  created_at: Instant,
  scheduled_at: Instant,
  started_at: Instant,
  finished_at: Instant,
  creator: Author,
  author: Author,
  pull_request: Pull,
  rebuilt_from: z
    .object({ id: text, number: number })
    .nullish()
    .transform((from) => from ?? null)
    .catch(null),
  pipeline: z.object({ id: Uuid, slug: Slug, name: text, repository: text, default_branch: text }),
  jobs: Jobs,
});

/** The allow-list: what is not named here is not kept. */
export const UpstreamBuild = RawBuild.transform(({ jobs, creator, author, pull_request, pipeline, ...build }) => {
  const repository = withoutLogin(pipeline.repository);
  const facts: BuildFacts = {
    ...build,
    author: withoutAddress(author ?? creator),
    pipeline: { ...pipeline, repository },
    pull_request: pull_request && {
      ...pull_request,
      repository: withoutLogin(pull_request.repository),
      // Whose repository it is decides what counts as a branch of ours; where upstream does not say, it does not count.
      fork:
        repositoryName(pull_request.repository) !== repositoryName(pipeline.repository) ||
        pull_request.repository === null,
    },
  };
  return { build: facts, jobs };
});
export type UpstreamBuild = z.infer<typeof UpstreamBuild>;

/** A name that is an e-mail address is cut before its `@`. */
function withoutAddress(name: string | null): string | null {
  return name === null ? null : name.replaceAll(/\s*<[^<>]*@[^<>]*>/g, '').replaceAll(/@[\w.-]+\.\w+/g, '');
}

/** A repository URL without the user or token that may stand in it; `git@host:path` keeps its conventional user. */
function withoutLogin(repository: string | null): string | null {
  return repository === null ? null : repository.replace(/^(\w[\w+.-]*:\/\/)[^/@]*@/, '$1');
}

/** `https://github.com/Acme/web.git`, `git@github.com:acme/web` → `github.com/acme/web`. */
export function repositoryName(repository: string | null): string | null {
  if (repository === null) return null;
  const bare = repository
    .replace(/^\w[\w+.-]*:\/\//, '')
    .replace(/^[^/@]*@/, '')
    .replace(':', '/')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  return bare.toLowerCase();
}

/** In lower case; null for what is no digest of so many digits. GraphQL says the empty string where there is no sum. */
export function sumOf(value: string | null | undefined, digits: number): string | null {
  return value != null && value.length === digits && /^[0-9a-f]+$/i.test(value) ? value.toLowerCase() : null;
}

export const UpstreamPipeline = z.object({ id: Uuid, slug: Slug });

/** A build's address in the API names its pipeline. */
export function slugOfBuild(url: string): string | null {
  return Slug.safeParse(/\/pipelines\/([^/]+)\/builds\/\d+$/.exec(url)?.[1]).data ?? null;
}

export const UpstreamArtifact = z
  .object({
    id: z.string().min(1),
    job_id: Uuid,
    path: z.string(),
    state: text.transform((state) => state ?? 'finished'),
    mime_type: text.transform((type) => type ?? 'application/octet-stream'),
    file_size: number.transform((size) => Math.max(0, size ?? 0)),
    sha1sum: text,
    sha256sum: text.optional(),
  })
  .transform(
    ({ file_size, sha1sum, sha256sum, ...artifact }): ArtifactFacts => ({
      ...artifact,
      size: file_size,
      sha1: sumOf(sha1sum, 40),
      sha256: sumOf(sha256sum, 64),
    }),
  );

export const UpstreamAnnotation = z.object({
  id: z.string(),
  context: text,
  style: text,
  scope: text,
  job_id: text,
  body_html: text,
  created_at: Instant,
  updated_at: Instant,
});
