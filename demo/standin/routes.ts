/** Which request is answered by whom, and the scope that its token needs. */
import { json, notFound } from './answer.ts';
import { downloadArtifact, getArtifact, listBuildArtifacts, listJobArtifacts } from './artifacts.ts';
import { getBuild, listAnnotations, listBuilds } from './builds.ts';
import type { Call, Handler } from './call.ts';
import { getJob, listJobs } from './jobs.ts';
import { getLog, getRawLog } from './logs.ts';
import { organizationJson, pipelineJson } from './render.ts';
import { createService, getService, listServices, switchService, updateService } from './services.ts';

export interface Route {
  readonly scope: string;
  readonly handle: Handler;
  readonly parts: Readonly<Record<string, string>>;
}

const build = 'pipelines/:pipeline/builds/:number';

/** Below `/v2/organizations/:organization`. Buildkite has both forms of a job's address, with its build and without. */
const table: readonly (readonly [pattern: string, scope: string, handle: Handler, method?: string])[] = [
  ['services', 'read_notification_services', listServices],
  ['services', 'write_notification_services', createService, 'POST'],
  ['services/:service', 'read_notification_services', getService],
  ['services/:service', 'write_notification_services', updateService, 'PATCH'],
  ['services/:service/enable', 'write_notification_services', switchService(true), 'PUT'],
  ['services/:service/disable', 'write_notification_services', switchService(false), 'PUT'],
  ['', 'read_organizations', getOrganization],
  ['pipelines', 'read_pipelines', listPipelines],
  ['pipelines/:pipeline', 'read_pipelines', getPipeline],
  ['builds', 'read_builds', listBuilds],
  ['pipelines/:pipeline/builds', 'read_builds', listBuilds],
  [build, 'read_builds', getBuild],
  [`${build}/annotations`, 'read_builds', listAnnotations],
  [`${build}/artifacts`, 'read_artifacts', listBuildArtifacts],
  [`${build}/jobs`, 'read_builds', listJobs],
  ...['', `${build}/`].flatMap((prefix): (readonly [string, string, Handler])[] => [
    [`${prefix}jobs/:job`, 'read_builds', getJob],
    [`${prefix}jobs/:job/log`, 'read_build_logs', getLog],
    [`${prefix}jobs/:job/log.txt`, 'read_build_logs', getRawLog],
    [`${prefix}jobs/:job/artifacts`, 'read_artifacts', listJobArtifacts],
    [`${prefix}jobs/:job/artifacts/:artifact`, 'read_artifacts', getArtifact],
    [`${prefix}jobs/:job/artifacts/:artifact/download`, 'read_artifacts', downloadArtifact],
  ]),
];

const routes = table.map(([pattern, scope, handle, method = 'GET']) => ({
  method,
  pattern: ['v2', 'organizations', ':organization', ...pattern.split('/').filter((part) => part !== '')],
  scope,
  handle,
}));

/** @param segments of the path, decoded */
export function findRoute(method: string, segments: readonly string[]): Route | null {
  const asked = method === 'HEAD' ? 'GET' : method;
  for (const { method: answered, pattern, scope, handle } of routes) {
    const parts = answered === asked ? match(pattern, segments) : null;
    if (parts !== null) return { scope, handle, parts };
  }
  return null;
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const parts: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (expected.startsWith(':')) parts[expected.slice(1)] = segment;
    else if (expected !== segment) return null;
  }
  return parts;
}

function getOrganization(call: Call): ReturnType<Handler> {
  const organization = call.upstream.organization(call.organization);
  return organization === undefined ? notFound : json(organizationJson(organization, call.view));
}

function listPipelines(call: Call): ReturnType<Handler> {
  const organization = call.upstream.organization(call.organization);
  if (organization === undefined) return notFound;
  const pipelines = call.upstream.pipelines(call.organization);
  return json(pipelines.map((pipeline) => pipelineJson(pipeline, organization, call.view)));
}

function getPipeline(call: Call): ReturnType<Handler> {
  const organization = call.upstream.organization(call.organization);
  const pipeline = call.upstream.pipeline(call.organization, call.pipeline);
  if (organization === undefined || pipeline === undefined) return notFound;
  return json(pipelineJson(pipeline, organization, call.view));
}
