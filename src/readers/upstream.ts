/** Buildkite's own addresses, with the host changed, lead to what the mirror has. */
import { type Request, type Response, Router } from 'express';
import { type JobRecord, Slug } from '../model.ts';
import { stateMeaning } from '../pages/parts.ts';
import { readIfPresent } from '../tree/files.ts';
import type { Place } from '../tree/paths.ts';
import { readBuildRecord, readJobRecord } from '../tree/records.ts';
import { buildHref, jobOf, notFound, placeOf } from './address.ts';
import { sendRedirect } from './answers.ts';
import type { ReaderParts } from './parts.ts';

export function upstreamRouter(parts: ReaderParts): Router {
  const build = '/organizations/:organization/pipelines/:folder/builds/:number';
  const job = `${build}/jobs/:job`;
  const router = Router({ caseSensitive: true });
  const toBuild = (below: string) => async (request: Request, response: Response) => {
    const place = await placeNow(parts, placeOf(request.params, parts.organization));
    sendRedirect(response, buildHref(place) + below);
  };
  const toJob = (below: string) => async (request: Request, response: Response) => {
    const { place, job } = await jobNow(parts, request);
    sendRedirect(response, `${buildHref(place)}jobs/${job.id}/${below}`);
  };
  router.get([build, `${build}/jobs`], toBuild(''));
  router.get(`${build}/artifacts`, toBuild('artifacts/?list'));
  router.get(job, toJob(''));
  router.get(`${job}/log`, (request, response) => sendToLog(parts, request, response));
  router.get(`${job}/artifacts`, toJob('artifacts/?list'));
  const artifact = `${job}/artifacts/:artifact`;
  router.get([artifact, `${artifact}/download`], (request, response) => sendArtifact(parts, request, response));
  return router;
}

/** Also of a job that runs and has no record yet: its log's page has the end of it. */
async function sendToLog(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const place = await placeNow(parts, placeOf(request.params, parts.organization));
  const id = jobOf(request.params);
  const build = await readBuildRecord(parts.paths, place);
  const isListed = build?.jobs.some((job) => job.id === id) === true;
  if (!isListed && (await readJobRecord(parts.paths, place, id)) === null) throw notFound('this job is not mirrored');
  sendRedirect(response, `${buildHref(place)}jobs/${id}/log/`);
}

async function sendArtifact(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const { place, job } = await jobNow(parts, request);
  const artifact = job.artifacts.find(({ id }) => id === request.params['artifact']);
  if (artifact === undefined) throw notFound('this job has no such artifact');
  if (artifact.state !== 'present' || artifact.url === null) {
    throw notFound(`this artifact is ${artifact.state}: ${artifact.reason ?? stateMeaning[artifact.state]}`);
  }
  sendRedirect(response, buildHref(place) + artifact.url);
}

/** Under the name that the pipeline has now, if it was renamed since the address was written down. */
export async function placeNow({ paths }: Pick<ReaderParts, 'paths'>, asked: Place): Promise<Place> {
  if ((await readBuildRecord(paths, asked)) !== null) return asked;
  const moved = Slug.safeParse((await readIfPresent(paths.movedPointer(asked.organization, asked.folder)))?.trim());
  const place = moved.success ? { ...asked, folder: moved.data } : null;
  if (place === null || (await readBuildRecord(paths, place)) === null) throw notFound('this build is not mirrored');
  return place;
}

async function jobNow(parts: ReaderParts, request: Request): Promise<{ place: Place; job: JobRecord }> {
  const place = await placeNow(parts, placeOf(request.params, parts.organization));
  const job = await readJobRecord(parts.paths, place, jobOf(request.params));
  if (job === null) throw notFound('this job is not mirrored');
  return { place, job };
}
