/**
 * Buildkite's lists of builds: of the organization or of a pipeline, newest created first, without jobs.
 * @see https://buildkite.com/docs/apis/rest-api/builds#list-builds-for-an-organization
 */
import { z } from 'zod';
import { MirrorError } from '../errors.ts';
import { BuildNumber, Slug, UuidText } from '../model.ts';
import { dateOf, malformed, parseLinks, readBody } from './client.ts';
import type { Rest } from './rest.ts';
import { parseInstant, slugOfBuild } from './schema.ts';

export interface BuildQuery {
  readonly organization: string;
  /** Absent: of all pipelines. */
  readonly pipeline?: string;
  /** ISO 8601. `finishedFrom`: at or after; whether the bounds of creation are in- or exclusive is not documented. */
  readonly finishedFrom?: string;
  readonly createdFrom?: string;
  readonly createdTo?: string;
  /** `*` stands for any characters. */
  readonly branches?: readonly string[];
  readonly states?: readonly string[];
  /** From 1. */
  readonly page?: number;
}

const text = z.string().nullish();
const Pipeline = z.object({ slug: Slug });

/** A build as a list has it. Instants are ISO 8601. One transformation for all: months are read by the hundred thousand. */
export const ListedBuild = z
  .object({
    id: UuidText,
    number: BuildNumber,
    state: z.string(),
    branch: text,
    created_at: text,
    finished_at: text,
    url: text,
    pipeline: z.unknown().optional(),
  })
  .transform(({ id, branch, created_at, finished_at, url, pipeline, ...build }, context) => {
    // Seldom there: it is left out on request, and what does not parse costs an Error with its stack.
    const named = pipeline === undefined || pipeline === null ? undefined : Pipeline.safeParse(pipeline).data;
    const slug = named?.slug ?? slugOfBuild(url ?? '');
    if (slug === null) {
      context.addIssue('names no pipeline');
      return z.NEVER;
    }
    return {
      ...build,
      id: id.toLowerCase(),
      branch: branch ?? '',
      created_at: parseInstant(created_at),
      finished_at: parseInstant(finished_at),
      pipeline: slug,
    };
  });
export type ListedBuild = z.infer<typeof ListedBuild>;

export interface BuildsPage {
  readonly builds: readonly ListedBuild[];
  /** Items that are no builds as far as can be told. */
  readonly unreadable: number;
  /** Upstream's clock when it answered, ms since 1970. */
  readonly at: number;
  readonly hasNext: boolean;
}

/** A page, or the word that the list is not shown that deep: it has to be narrowed. */
export type BuildList = (query: BuildQuery, signal: AbortSignal) => Promise<BuildsPage | 'too deep'>;

export const buildsPerPage = 100;

export function createBuildList(rest: Rest): BuildList {
  return async (query, signal) => {
    const answer = await rest({ path: pathOf(query), purpose: 'builds', signal, expect: [200, 400] });
    const body = await readBody(answer, 'builds');
    if (answer.statusCode === 400) {
      if (isTooDeep(body)) return 'too deep';
      throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'Buildkite refuses the question for builds', { status: 400 });
    }
    if (!Array.isArray(body)) throw malformed('builds', 'is not a list');
    const builds = body.flatMap((item: unknown) => ListedBuild.safeParse(item).data ?? []);
    return {
      builds,
      unreadable: body.length - builds.length,
      at: dateOf(answer.headers['date']),
      hasNext: parseLinks(answer.headers['link'])['next'] !== undefined,
    };
  };
}

function pathOf({ organization, pipeline, branches = [], states = [], page = 1, ...times }: BuildQuery): string {
  const below = pipeline === undefined ? '' : `/pipelines/${encodeURIComponent(pipeline)}`;
  const query = new URLSearchParams({
    exclude_jobs: 'true',
    exclude_pipeline: 'true',
    per_page: String(buildsPerPage),
    page: String(page),
  });
  if (times.finishedFrom !== undefined) query.set('finished_from', times.finishedFrom);
  if (times.createdFrom !== undefined) query.set('created_from', times.createdFrom);
  if (times.createdTo !== undefined) query.set('created_to', times.createdTo);
  for (const branch of branches) query.append('branch[]', branch);
  for (const state of states) query.append('state[]', state);
  return `/organizations/${encodeURIComponent(organization)}${below}/builds?${query.toString()}`;
}

/** "Listing builds this deep is not supported. Please narrow your query using filters such as branch or created_from." */
function isTooDeep(body: unknown): boolean {
  const message = typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : '';
  return /\bdeep\b|\bnarrow\b/i.test(message);
}
