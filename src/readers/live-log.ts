/** The log of a job that runs, or whose log has yet to be mirrored: its end, as a page and as what that page asks for. */
import type { Request, Response } from 'express';
import { readLogIndex } from '../logs/index-file.ts';
import { tailHtml } from '../logs/tail-html.ts';
import { type BuildRecord, isFinishedJob, isUnsettled, type JobRecord, type JobSummary } from '../model.ts';
import { renderLiveLog, tellTail, tellWhole } from '../pages/live-log.ts';
import { isTailDue, type LogTail, readLogTail } from '../tree/log-tail.ts';
import type { Place } from '../tree/paths.ts';
import { readBuildRecord } from '../tree/records.ts';
import { buildHref, notFound } from './address.ts';
import { sendPage, sendRedirect } from './answers.ts';
import type { ReaderParts } from './parts.ts';

export function asksLive({ query }: Request): boolean {
  return query['live'] !== undefined;
}

/** A job whose log is mirrored: who still watches is told so, or led there. */
export async function sendEnded(
  { paths }: ReaderParts,
  place: Place,
  job: JobRecord,
  request: Request,
  response: Response,
): Promise<void> {
  if (!asksJson(request)) return sendRedirect(response, `${buildHref(place)}jobs/${job.id}/log/`);
  const whole = (await readLogIndex(paths, place, job.id)) !== null;
  sendState(response, {
    state: job.state,
    ended: true,
    whole,
    told: tellWhole(job, whole),
    read_at: null,
    lines: null,
  });
}

/** @throws MirrorError ERR_NOT_FOUND with `why` for a job that the build's record does not list, or whose log will not come */
export async function sendLive(
  parts: ReaderParts,
  { place, id, record, why }: { place: Place; id: string; record: JobRecord | null; why: string },
  request: Request,
  response: Response,
): Promise<void> {
  const build = await readBuildRecord(parts.paths, place);
  const job = build?.jobs.find((each) => each.id === id && each.type === 'script');
  if (build === null || job === undefined || !mayCome(job, record)) throw notFound(why);
  const tail = await readLogTail(parts.paths, place, id);
  if (isRunning(job, record) && isTailDue(tail, Date.now())) await parts.watch(taskOf(build, place, id));
  const now = { ...job, state: record?.state ?? (isRunning(job, record) ? (tail?.state ?? job.state) : job.state) };
  const ended = !isRunning(job, record) || tail?.ended === true;
  if (asksJson(request)) {
    const isNew = tail !== null && tail.read_at !== request.query['after'];
    const lines = isNew ? linesOf(tail) : null;
    const told = tellTail(now, tail);
    return sendState(response, { state: now.state, ended, whole: false, told, read_at: tail?.read_at ?? null, lines });
  }
  sendPage(response, renderLiveLog({ build, job: now, ended, tail, lines: tail === null ? '' : linesOf(tail) }));
}

/** What the page asks for every few seconds. */
interface LiveState {
  readonly state: string;
  readonly ended: boolean;
  /** The whole log is at `./`. */
  readonly whole: boolean;
  readonly told: string;
  readonly read_at: string | null;
  /** HTML; null: as they were. */
  readonly lines: string | null;
}

function sendState(response: Response, state: LiveState): void {
  response.set('Cache-Control', 'no-store').json(state);
}

function asksJson({ query }: Request): boolean {
  return query['format'] === 'json';
}

function isRunning(job: JobSummary, record: JobRecord | null): boolean {
  return record === null && !isFinishedJob(job.state, job.finished_at);
}

function mayCome(job: JobSummary, record: JobRecord | null): boolean {
  if (record !== null) return record.log !== null && isUnsettled(record.log.state);
  return job.started_at !== null || isRunning(job, record);
}

function taskOf(build: BuildRecord, { organization, number }: Place, job: string) {
  return { organization, pipeline: build.pipeline, number, build: build.id, pipelineId: build.pipeline_id, job };
}

function linesOf({ content, start }: LogTail): string {
  return tailHtml(content, start === 0);
}
