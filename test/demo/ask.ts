/** A client for tests of the stand-in: it asks with the default token, and follows nothing. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { SampleArtifact, SampleBuild, ScriptJob } from '../../demo/standin/sample.ts';
import { createStandIn } from '../../demo/standin/server.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import { defaultToken } from '../../demo/standin/tokens.ts';

export type Row = Record<string, unknown>;

/** A stand-in without limits, unless told, that ends with the test. */
export async function started(t: TestContext, options: StandInOptions = {}): Promise<StandIn> {
  const standIn = createStandIn({ limits: null, ...options });
  await standIn.start();
  t.after(() => standIn.stop());
  return standIn;
}

export async function ask(
  standIn: StandIn,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Response> {
  const url = path.startsWith('http') ? path : `${standIn.address.apiUrl}${path}`;
  const authorization = url.startsWith(standIn.address.apiUrl) ? { authorization: `Bearer ${defaultToken.token}` } : {};
  return fetch(url, { method, redirect: 'manual', headers: { ...authorization, ...headers } });
}

export async function rows(standIn: StandIn, path: string): Promise<Row[]> {
  return (await (await ask(standIn, path)).json()) as Row[];
}

export async function row(standIn: StandIn, path: string): Promise<Row> {
  return (await (await ask(standIn, path)).json()) as Row;
}

export function firstJob(build: SampleBuild): ScriptJob {
  const job = build.jobs[0];
  assert.ok(job?.type === 'script');
  return job;
}

export function firstArtifact(build: SampleBuild): SampleArtifact {
  const artifact = firstJob(build).artifacts[0];
  assert.ok(artifact);
  return artifact;
}

export async function linkOf(standIn: StandIn, build: SampleBuild): Promise<string> {
  const answer = await ask(standIn, `${jobPath(build)}/artifacts/${firstArtifact(build).id}/download`);
  assert.equal(answer.status, 302);
  const { url } = (await answer.json()) as { url: string };
  assert.equal(answer.headers.get('location'), url);
  return url;
}

export const home = '/v2/organizations/acme';
export const buildPath = (build: SampleBuild): string =>
  `${home}/pipelines/${build.pipeline.slug}/builds/${build.number}`;
export const jobPath = (build: SampleBuild): string => `${buildPath(build)}/jobs/${firstJob(build).id}`;

export function withJob(build: SampleBuild, change: Partial<ScriptJob>): SampleBuild {
  const [, ...others] = build.jobs;
  return { ...build, jobs: [{ ...firstJob(build), ...change }, ...others] };
}
