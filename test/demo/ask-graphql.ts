/** A client for tests of the stand-in's GraphQL API and portals. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { graphqlToken } from '../../demo/standin/tokens.ts';
import { type Row, started } from './ask.ts';

export const links = `query Links($build: ID!, $jobs: Int!, $after: String, $artifacts: Int!, $path: String) {
  build(uuid: $build) {
    jobs(first: $jobs, after: $after, type: [COMMAND]) {
      count
      pageInfo { hasNextPage endCursor }
      edges { node { ... on JobTypeCommand {
        uuid
        artifacts(first: $artifacts, path: $path, state: FINISHED) {
          count
          edges { node { uuid path size state mimeType sha1sum sha256sum downloadURL } }
        }
      } } }
    }
  }
}`;

export interface Artifact {
  readonly uuid: string;
  readonly path: string;
  readonly size: number;
  readonly state: string;
  readonly mimeType: string;
  readonly sha1sum: string;
  readonly sha256sum: string | null;
  readonly downloadURL?: string;
}
export interface Jobs {
  readonly count: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  readonly edges: {
    readonly node: {
      readonly uuid: string;
      readonly artifacts: { readonly count: number; readonly edges: { readonly node: Artifact | null }[] };
    };
  }[];
}
export interface Reply {
  readonly data?: { readonly build: { readonly jobs: Jobs } | null } | null;
  readonly errors?: { readonly message: string; readonly path?: (string | number)[] }[];
  readonly stats?: Row;
}

export type Asked = { readonly status: number; readonly headers: Headers; readonly reply: Reply };

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Asked> {
  const all = { authorization: `Bearer ${graphqlToken.token}`, 'content-type': 'application/json', ...headers };
  const answer = await fetch(url, { method: 'POST', headers: all, body: JSON.stringify(body) });
  return { status: answer.status, headers: answer.headers, reply: (await answer.json()) as Reply };
}

export const query = (standIn: StandIn, text: string, variables: Row = {}, headers: Record<string, string> = {}) =>
  post(standIn.address.graphqlUrl, { query: text, variables }, headers);

export const askLinks = (standIn: StandIn, build: SampleBuild, more: Row = {}) =>
  query(standIn, links, { build: build.id, jobs: 100, artifacts: 100, ...more });

export const portal = { slug: 'links', token: `bkpat_${'ab'.repeat(27)}`, document: links };
export const portalAuthorization = { authorization: `Bearer ${portal.token}` };
export const askPortal = (standIn: StandIn, build: SampleBuild, more: Row = {}) =>
  post(standIn.portalUrl('links'), { build: build.id, jobs: 100, artifacts: 100, ...more }, portalAuthorization);

export function artifactsOf({ reply }: Asked): (Artifact | null)[] {
  const jobs = reply.data?.build?.jobs;
  assert.ok(jobs, JSON.stringify(reply.errors));
  return jobs.edges.flatMap(({ node }) => node.artifacts.edges.map((edge) => edge.node));
}

export const messageOf = ({ reply }: Asked): string | undefined => reply.errors?.[0]?.message;

export async function withBuild(
  t: TestContext,
  options: StandInOptions = {},
  generate = { jobs: 2, artifactsPerJob: 3 },
): Promise<[StandIn, SampleBuild]> {
  const standIn = await started(t, options);
  const build = generateBuild(generate);
  standIn.put(build);
  return [standIn, build];
}
