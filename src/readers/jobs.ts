/** A job's page and the listings below it. */
import { type Request, type Response, Router } from 'express';
import { failingLines } from '../build-page.ts';
import type { BuildRecord, JobRecord } from '../model.ts';
import { renderJob } from '../pages/job.ts';
import { stateMeaning } from '../pages/parts.ts';
import { readBuildRecord, readJobRecord } from '../tree/records.ts';
import { folderHref, jobOf, missingSlash, notFound, placeOf, tailOf } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import { archiveOfJob, sendArchive } from './archives.ts';
import { matchOf, sendListing, sendMatches } from './folders.ts';
import { type Contents, contentsOf, filesOfJob } from './listing.ts';
import { logMessage, sendLog } from './logs.ts';
import type { ReaderParts } from './parts.ts';

export function jobsRouter(parts: ReaderParts): Router {
  const base = '/:organization/:folder/builds/:number/jobs';
  const router = Router({ caseSensitive: true });
  router.get(base, (request, response) => sendJobs(parts, request, response));
  router.get(`${base}/:job/log`, (request, response) => sendLog(parts, request, response));
  router.get(`${base}/:job{/*path}`, (request, response) => sendJobFolder(parts, request, response));
  return router;
}

async function sendJobs(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const place = placeOf(request.params, parts.organization);
  const build = await readBuildRecord(parts.paths, place);
  if (build === null) throw notFound('this build is not mirrored');
  const listing = { place, tail: ['jobs'], contents: jobFolders(build), isCurrent: null };
  await sendListing(parts, listing, request, response);
}

async function sendJobFolder(parts: ReaderParts, request: Request, response: Response): Promise<void> {
  const place = placeOf(request.params, parts.organization);
  const tail = tailOf(request.params);
  const job = await readJobRecord(parts.paths, place, jobOf(request.params));
  if (job === null) throw notFound('this job is not mirrored');
  if (tail.length === 0 && request.query['list'] === undefined) {
    const build = await readBuildRecord(parts.paths, place);
    if (build === null) throw notFound('this build is not mirrored');
    const slash = missingSlash(request, [
      place.organization,
      place.folder,
      'builds',
      String(place.number),
      'jobs',
      job.id,
    ]);
    if (slash !== null) return sendRedirect(response, slash);
    const failing = (await failingLines(parts.paths, place, new Map([[job.id, job]]))).get(job.id) ?? [];
    return sendPage(response, renderJob({ build, job, failing, at: { folder: place.folder, url: parts.url } }));
  }
  const jobName = job.name ?? job.step_key ?? job.id;
  if (request.query['archive'] !== undefined)
    return sendArchive(parts, archiveOfJob(parts.paths, place, job, tail), request, response);
  const match = matchOf(request);
  if (match !== null)
    return sendMatches(
      { place, tail: ['jobs', job.id, ...tail], within: tail, jobName, files: filesOfJob(job), match },
      response,
    );
  const found = contentsOf(filesOfJob(job), tail);
  // A job that uploaded nothing has an empty folder, not a missing one.
  const isRoot = tail.length === 1 && tail[0] === 'artifacts';
  if (found === null && !isRoot) throw notFound(whyNot(job, tail));
  const isCurrent = async (): Promise<boolean> =>
    (await readJobRecord(parts.paths, place, job.id))?.mirrored_at === job.mirrored_at;
  const listing = {
    place,
    tail: ['jobs', job.id, ...tail],
    jobName,
    contents: found ?? { folders: [], files: [] },
    isCurrent: job.settled && tail.length > 0 ? isCurrent : null,
  };
  await sendListing(parts, listing, request, response);
}

/** For a file that upstream has and the mirror has not, what became of it. */
function whyNot(job: JobRecord, tail: readonly string[]): string {
  if (tail.length === 1 && tail[0] === 'log.txt') return logMessage(job);
  const path = tail.slice(1).join('/');
  const artifact = job.artifacts.find((each) => each.state !== 'present' && each.path === path);
  if (tail[0] !== 'artifacts' || artifact === undefined) return 'there is no such file or folder in this job';
  return `this artifact is ${artifact.state}: ${artifact.reason ?? stateMeaning[artifact.state]}`;
}

function jobFolders(build: BuildRecord): Contents {
  const folders = build.jobs.flatMap(({ id, name, url, present, bytes }) =>
    url === null
      ? []
      : [{ name: id, href: folderHref([id]).slice(1), count: present, bytes, ...(name !== null && { note: name }) }],
  );
  return { folders, files: [] };
}
