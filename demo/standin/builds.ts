/** Builds: lists with their filters, and one with its jobs. */
import { type Answer, json, notFound, pageLinks, pageOf, rawJson, refusal } from './answer.ts';
import { buildOf, type Call, flag } from './call.ts';
import { annotationJson, buildJson, type Json, pipelineJson } from './render.ts';
import { jobJson } from './render-jobs.ts';
import { isScript, type SampleBuild, type SampleJob } from './sample.ts';
import type { StoredBuild } from './upstream.ts';

export function listBuilds(call: Call): Answer {
  if (call.upstream.organization(call.organization) === undefined) return notFound;
  if (call.pipeline !== '' && call.upstream.pipeline(call.organization, call.pipeline) === undefined) return notFound;
  const page = pageOf(call.query);
  if (page.start + page.size > call.behaviour.deepestBuild) {
    const advice = 'Please narrow your query using filters such as branch or created_from.';
    return refusal(400, `Listing builds this deep is not supported. ${advice}`);
  }
  const all = call.upstream.builds(call.organization, call.pipeline === '' ? undefined : call.pipeline);
  const found = all.filter(({ build }) => passes(build, call.query));
  const shown = found.slice(page.start, page.start + page.size).map((stored) => renderBuild(stored, call));
  return rawJson(`[${shown.join(',')}]`, pageLinks(call.view.base + call.path, call.query, page, found.length));
}

export function getBuild(call: Call): Answer {
  const stored = buildOf(call);
  return stored === undefined ? notFound : rawJson(renderBuild(stored, call, true));
}

export function listAnnotations(call: Call): Answer {
  const stored = buildOf(call);
  if (stored === undefined) return notFound;
  const page = pageOf(call.query);
  const scope = call.query.get('scope') ?? 'build';
  const found = stored.build.annotations.filter(
    (annotation) => scope === 'all' || (annotation.jobId === null) === (scope === 'build'),
  );
  const shown = found.slice(page.start, page.start + page.size);
  return json(
    shown.map((annotation) => annotationJson(annotation, call.view, flag(call, 'omit_body'))),
    pageLinks(call.view.base + call.path, call.query, page, found.length),
  );
}

/** Jobs that a later attempt replaced are left out, unless asked for. */
function renderBuild(stored: StoredBuild, call: Call, alone = false): string {
  const shape = {
    alone,
    jobs: !flag(call, 'exclude_jobs'),
    pipeline: !flag(call, 'exclude_pipeline'),
    retried: flag(call, 'include_retried_jobs'),
  };
  const key = JSON.stringify([shape, call.view]);
  let text = stored.rendered.get(key);
  if (text === undefined) {
    text = JSON.stringify(shapeBuild(stored.build, shape, call));
    stored.rendered.set(key, text);
  }
  return text;
}

interface Shape {
  readonly alone: boolean;
  readonly jobs: boolean;
  readonly pipeline: boolean;
  readonly retried: boolean;
}

function shapeBuild(build: SampleBuild, shape: Shape, call: Call): Json {
  const result = buildJson(build, call.view);
  const jobs = build.jobs.filter((job) => shape.retried || !isReplaced(job));
  if (shape.jobs) result.jobs = jobs.map((job) => jobJson(job, build, call.view));
  if (shape.alone) result.job_state_counts = stateCounts(jobs);
  if (shape.pipeline) result.pipeline = pipelineJson(build.pipeline, build.organization, call.view);
  return result;
}

export function isReplaced(job: SampleJob): boolean {
  return isScript(job) && job.retriedInJobId !== null;
}

function stateCounts(jobs: readonly SampleJob[]): Json {
  const states: Record<string, number> = {};
  for (const job of jobs) if ('state' in job) states[job.state] = (states[job.state] ?? 0) + 1;
  return { total: jobs.length, states };
}

const finished = new Set(['passed', 'failed', 'blocked', 'canceled']);

function passes(build: SampleBuild, query: URLSearchParams): boolean {
  const states = several(query, 'state');
  const branches = several(query, 'branch');
  const commits = several(query, 'commit');
  return (
    (states.length === 0 || states.some((state) => hasState(build, state))) &&
    (branches.length === 0 || branches.some((pattern) => glob(pattern).test(build.branch))) &&
    (commits.length === 0 || commits.includes(build.commit)) &&
    since(query.get('created_from'), build.createdAt) &&
    since(query.get('finished_from'), build.finishedAt) &&
    before(query.get('created_to'), build.createdAt)
  );
}

function hasState(build: SampleBuild, state: string): boolean {
  if (state === 'finished') return finished.has(build.state) || build.blocked;
  return state === build.state || (state === 'blocked' && build.blocked);
}

/** `name=a`, `name[]=a&name[]=b`. */
export function several(query: URLSearchParams, name: string): string[] {
  return [...query.getAll(name), ...query.getAll(`${name}[]`)];
}

/** `*` stands for any characters, `/` among them. */
export function glob(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's');
}

function since(text: string | null, time: number | null): boolean {
  return text === null || (time !== null && time >= Date.parse(text));
}

function before(text: string | null, time: number): boolean {
  return text === null || time < Date.parse(text);
}
