/**
 * Buildkite's REST API as calls that mean something. Answers are parsed; lists follow the `Link` header's pages. What is
 * answered with 404 is gone (ERR_UPSTREAM_GONE) where its pipeline is seen after that and it is not found once more then;
 * else nothing is known of it (ERR_UPSTREAM_UNSEEN).
 */
import { z } from 'zod';
import { MirrorError, toMirrorError } from '../errors.ts';
import { type AnnotationFacts, type ArtifactFacts, type BuildRef, type JobFacts, Uuid } from '../model.ts';
import type { Purpose, Rest, RestAnswer, RestRequest } from './rest.ts';
import { UpstreamAnnotation, UpstreamArtifact, UpstreamBuild, UpstreamJob, UpstreamPipeline } from './schema.ts';
import { createSight, type Sight, type UpstreamRef, unseenReason, type Verdict } from './sight.ts';

export interface Page<T> {
  readonly items: T[];
  /** How many pages there are as far as this one tells. */
  readonly pages: number;
}

export interface Upstream {
  /** The same, but that each 404 is believed. */
  atItsWord(): Upstream;
  /**
   * The build with all of its jobs, retried attempts too; `at`: upstream's clock (ISO 8601) when it was asked. Another build
   * at its address is as good as none.
   */
  readBuild(ref: UpstreamRef, signal: AbortSignal): Promise<UpstreamBuild & { at: string }>;
  readJob(ref: UpstreamRef, job: string, signal: AbortSignal): Promise<JobFacts>;
  /** Pages of 100, of the whole build or of one job. */
  listArtifacts(ref: UpstreamRef, job: string | null, signal: AbortSignal): AsyncIterable<Page<ArtifactFacts>>;
  readArtifact(ref: UpstreamRef, job: string, artifact: string, signal: AbortSignal): Promise<ArtifactFacts>;
  /** A link that works for a minute or ten: use it at once, never keep or log it. */
  resolveDownload(ref: UpstreamRef, job: string, artifact: string, signal: AbortSignal): Promise<URL>;
  /**
   * The raw log. The caller reads or dumps the body. `ahead`: before what else waits for the budget; `mayLack`: a log that is
   * not there is no news, and its 404 is passed on as it is.
   */
  openLog(ref: UpstreamRef, job: string, how: LogRequest, signal: AbortSignal): Promise<RestAnswer>;
  /**
   * The last so many bytes of the raw log: 206 with a `Content-Range`, 416 where it is empty, or 200 with all of it where
   * upstream gives no parts. The caller reads or dumps the body. A 404 is passed on as it is.
   */
  openLogEnd(ref: UpstreamRef, job: string, bytes: number, signal: AbortSignal): Promise<RestAnswer>;
  /** Bytes of the log now; null where upstream does not say. */
  logSize(ref: UpstreamRef, job: string, signal: AbortSignal): Promise<number | null>;
  listAnnotations(ref: UpstreamRef, signal: AbortSignal): Promise<AnnotationFacts[]>;
}

export interface LogRequest {
  readonly ahead: boolean;
  readonly mayLack: boolean;
}

export interface UpstreamOptions {
  /** Looks that were in vain are not remembered: whoever waits has a reason to ask again. */
  readonly isForgetful?: boolean;
}

const perPage = 100;
/** A build of 4,000 jobs is 12 MB of JSON; what is far beyond that is not an answer. */
const maxJsonBytes = 256 * 1024 * 1024;

type Ask = (ref: UpstreamRef, request: RestRequest) => Promise<RestAnswer>;

export function createUpstream(rest: Rest, { isForgetful = false }: UpstreamOptions = {}): Upstream {
  const sight = createSight(sourcesOf(rest));
  const ask: Ask = async (ref, request) => {
    const { purpose, signal } = request;
    if (!isForgetful && sight.isUnseen(ref)) throw unseen(ref, purpose, null);
    try {
      const answer = await rest(request);
      // A build is told to be ours by its uuid, and that is not read yet.
      if (purpose !== 'build') sight.saw(ref);
      return answer;
    } catch (thrown) {
      if (signal.aborted || toMirrorError(thrown).code !== 'ERR_UPSTREAM_GONE') throw thrown;
      await refuseUnseen(sight, ref, purpose, signal);
      // Access may have come back between the two answers: then it is there.
      return await rest(request);
    }
  };
  const word: Upstream = { ...callsOf((_, request) => rest(request), rest, null), atItsWord: () => word };
  return { ...callsOf(ask, rest, sight), atItsWord: () => word };
}

/** @throws MirrorError ERR_UPSTREAM_UNSEEN, with the pipeline's `slug` where it has another one now */
async function refuseUnseen(sight: Sight, ref: UpstreamRef, purpose: Purpose, signal: AbortSignal): Promise<void> {
  const verdict = await sight.look(ref, signal);
  if (!verdict.counts) throw unseen(ref, purpose, verdict);
}

function unseen({ pipeline, number }: UpstreamRef, purpose: Purpose, verdict: Verdict | null): MirrorError {
  const slug = verdict?.counts === false ? verdict.slug : null;
  return new MirrorError('ERR_UPSTREAM_UNSEEN', unseenReason, { purpose, pipeline, number, slug });
}

const PipelineOfBuild = z.object({ pipeline: z.object({ id: Uuid }) });
const hiddenOr200 = [200, 403, 404, 410];

function sourcesOf(rest: Rest): Parameters<typeof createSight>[0] {
  return {
    pipelineAt: async (organization, pipeline, signal) => {
      const path = `/organizations/${encodeURIComponent(organization)}/pipelines/${encodeURIComponent(pipeline)}`;
      const answer = await rest({ path, purpose: 'pipeline', signal, expect: hiddenOr200 });
      if (answer.statusCode === 200) return (await parseJson(answer, UpstreamPipeline, 'pipeline')).id;
      await answer.body.dump();
      return null;
    },
    pipelines: async (organization, signal) => {
      const path = `/organizations/${encodeURIComponent(organization)}/pipelines`;
      const slugs = new Map<string, string>();
      try {
        for await (const { items } of pagesOf(rest, path, 'pipelines', UpstreamPipeline, signal))
          for (const { id, slug } of items) slugs.set(id, slug);
      } catch (thrown) {
        if (!isHidden(thrown)) throw thrown;
      }
      return slugs;
    },
    builtAt: async (organization, pipeline, signal) => {
      const path = `/organizations/${encodeURIComponent(organization)}/pipelines/${encodeURIComponent(pipeline)}/builds`;
      const query = 'exclude_jobs=true&per_page=1';
      const answer = await rest({ path: `${path}?${query}`, purpose: 'builds', signal, expect: hiddenOr200 });
      if (answer.statusCode === 200)
        return (await parseJson(answer, z.array(PipelineOfBuild), 'builds'))[0]?.pipeline.id ?? null;
      await answer.body.dump();
      return null;
    },
  };
}

/** The token may not see it, or it is not there: which of them cannot be told. */
function isHidden(thrown: unknown): boolean {
  const { code } = toMirrorError(thrown);
  return code === 'ERR_UPSTREAM_GONE' || code === 'ERR_UPSTREAM_DENIED';
}

async function* pagesOf<T>(rest: Rest, path: string, purpose: Purpose, item: z.ZodType<T>, signal: AbortSignal) {
  for (let next: string | null = `${path}?per_page=${perPage}`; next !== null; ) {
    const answer: RestAnswer = await rest({ path: next, purpose, signal });
    const raw: unknown = await readBody(answer, purpose);
    if (!Array.isArray(raw)) throw malformed(purpose, 'is not a list');
    const links: Record<string, URL> = parseLinks(answer.headers['link']);
    const items: T[] = raw.map((each: unknown) => parse(each, item, purpose));
    yield { items, pages: Number(links['last']?.searchParams.get('page') ?? 1) || 1 };
    next = links['next'] === undefined ? null : `${path}?${withoutSecrets(links['next'])}`;
  }
}

/** @param rest for what concludes nothing from a 404 @param sight null: what is not there is gone */
function callsOf(ask: Ask, rest: Rest, sight: Sight | null): Omit<Upstream, 'atItsWord'> {
  async function readJson<T>(ref: UpstreamRef, path: string, purpose: Purpose, of: z.ZodType<T>, signal: AbortSignal) {
    const answer = await ask(ref, { path, purpose, signal });
    return { value: await parseJson(answer, of, purpose), headers: answer.headers };
  }

  const asking =
    (ref: UpstreamRef): Rest =>
    (request) =>
      ask(ref, request);

  return {
    readBuild: async (ref, signal) => {
      const path = `${buildPath(ref)}?include_retried_jobs=true`;
      const { value, headers } = await readJson(ref, path, 'build', UpstreamBuild, signal);
      if (value.build.id !== ref.build) {
        if (sight !== null) await refuseUnseen(sight, ref, 'build', signal);
        throw new MirrorError('ERR_UPSTREAM_GONE', 'Buildkite has another build of that number', { path });
      }
      sight?.saw(ref);
      return { ...value, at: new Date(dateOf(headers['date'])).toISOString() };
    },
    readJob: async (ref, job, signal) => (await readJson(ref, jobPath(ref, job), 'job', UpstreamJob, signal)).value,
    listArtifacts: (ref, job, signal) =>
      pagesOf(asking(ref), artifactsPath(ref, job), 'artifacts', UpstreamArtifact, signal),
    readArtifact: async (ref, job, artifact, signal) => {
      const path = `${jobPath(ref, job)}/artifacts/${encodeURIComponent(artifact)}`;
      return (await readJson(ref, path, 'artifacts', UpstreamArtifact, signal)).value;
    },
    resolveDownload: async (ref, job, artifact, signal) => {
      const path = `${jobPath(ref, job)}/artifacts/${encodeURIComponent(artifact)}/download`;
      const answer = await ask(ref, { path, purpose: 'download', signal, expect: [302, 301, 303, 307] });
      await answer.body.dump();
      const location = answer.headers['location'];
      if (typeof location !== 'string') throw malformed('download', 'names no location');
      if (URL.canParse(location)) return new URL(location);
      // The job chose it (a custom storage's address): to ask again would bring the same.
      throw new MirrorError('ERR_DOWNLOAD_REFUSED', 'its download leads to no address', {});
    },
    openLog: (ref, job, { ahead, mayLack }, signal) => {
      const request = {
        path: `${jobPath(ref, job)}/log`,
        purpose: 'log',
        signal,
        accept: 'text/plain',
        ahead,
      } as const;
      return mayLack ? rest(request) : ask(ref, request);
    },
    openLogEnd: (ref, job, bytes, signal) => {
      const path = `${jobPath(ref, job)}/log`;
      const part = { accept: 'text/plain', range: `bytes=-${bytes}`, expect: [200, 206, 416] };
      return rest({ path, purpose: 'log', signal, ...part });
    },
    logSize: async (ref, job, signal) => {
      const path = `${jobPath(ref, job)}/log`;
      const answer = await ask(ref, { path, purpose: 'log', signal, method: 'HEAD', accept: 'text/plain' });
      await answer.body.dump();
      const length = Number(answer.headers['content-length'] ?? Number.NaN);
      return Number.isSafeInteger(length) ? length : null;
    },
    listAnnotations: async (ref, signal) => {
      const all: AnnotationFacts[] = [];
      const pages = pagesOf(asking(ref), `${buildPath(ref)}/annotations`, 'annotations', UpstreamAnnotation, signal);
      for await (const { items } of pages) all.push(...items);
      return all;
    },
  };
}

function buildPath({ organization, pipeline, number }: BuildRef): string {
  return `/organizations/${encodeURIComponent(organization)}/pipelines/${encodeURIComponent(pipeline)}/builds/${number}`;
}

function artifactsPath(ref: BuildRef, job: string | null): string {
  return `${job === null ? buildPath(ref) : jobPath(ref, job)}/artifacts`;
}

function jobPath(ref: BuildRef, job: string): string {
  return `${buildPath(ref)}/jobs/${encodeURIComponent(job)}`;
}

async function parseJson<T>(answer: RestAnswer, schema: z.ZodType<T>, purpose: Purpose): Promise<T> {
  return parse(await readBody(answer, purpose), schema, purpose);
}

export async function readBody(answer: RestAnswer, purpose: Purpose): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxJsonBytes) throw malformed(purpose, `is larger than ${maxJsonBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof MirrorError) throw cause;
    throw new MirrorError('ERR_UPSTREAM_UNAVAILABLE', `The answer for ${purpose} broke off`, { purpose }, cause);
  }
  try {
    return JSON.parse(Buffer.concat(chunks, size).toString('utf8'));
  } catch {
    throw malformed(purpose, 'is not JSON');
  }
}

export function parse<T>(value: unknown, schema: z.ZodType<T>, purpose: Purpose): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [fault] = parsed.error.issues;
  throw malformed(
    purpose,
    `has a ${fault?.path.join('.') || 'value'} that does not fit: ${fault?.message ?? 'unknown'}`,
  );
}

export function malformed(purpose: Purpose, what: string): MirrorError {
  return new MirrorError('ERR_UPSTREAM_MALFORMED', `Buildkite's answer for ${purpose} ${what}`, { purpose });
}

export function dateOf(header: string | string[] | undefined): number {
  const told = typeof header === 'string' ? Date.parse(header) : Number.NaN;
  return Number.isNaN(told) ? Date.now() : told;
}

/** `<https://…?page=2>; rel="next", …` → rel → URL. */
export function parseLinks(header: string | string[] | undefined): Record<string, URL> {
  const links: Record<string, URL> = {};
  for (const [, target, rel] of String(header ?? '').matchAll(/<([^>]+)>\s*;\s*rel="?(\w+)"?/g)) {
    if (target !== undefined && rel !== undefined && URL.canParse(target)) links[rel] = new URL(target);
  }
  return links;
}

/** Only the query of a link is used, on our own path: a link cannot lead the token elsewhere. */
function withoutSecrets(link: URL): string {
  const query = new URLSearchParams(link.search);
  query.delete('api_key');
  query.delete('access_token');
  return query.toString();
}
