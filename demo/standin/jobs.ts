/** A build's jobs by cursor, and one job. */
import { type Answer, json, noJob, notFound, pageSize } from './answer.ts';
import { isReplaced, several } from './builds.ts';
import { buildOf, type Call, flag, jobOf } from './call.ts';
import { jobJson } from './render-jobs.ts';
import { isScript, type SampleJob } from './sample.ts';

/** `{items, links}`; unlike a build's own list of jobs it has retried ones unless they are refused. */
export function listJobs(call: Call): Answer {
  const stored = buildOf(call);
  if (stored === undefined) return notFound;
  const found = stored.build.jobs.filter((job) => wanted(job, call));
  const size = pageSize(call.query);
  const start = startOf(found, call.query, size);
  const items = found.slice(start, start + size);
  const links: Record<string, string> = { self: cursorUrl(call, size) };
  const [first, last] = [items[0], items.at(-1)];
  if (first !== undefined && start > 0) links.prev = cursorUrl(call, size, 'before', first.id);
  if (last !== undefined && start + size < found.length) links.next = cursorUrl(call, size, 'after', last.id);
  return json({ items: items.map((job) => jobJson(job, stored.build, call.view)), links });
}

export function getJob(call: Call): Answer {
  const stored = jobOf(call);
  return stored === undefined ? noJob : json(jobJson(stored.job, stored.home.build, call.view));
}

function wanted(job: SampleJob, call: Call): boolean {
  if (isReplaced(job) && !flag(call, 'include_retried_jobs', true)) return false;
  const states = several(call.query, 'state');
  if (states.length > 0 && !('state' in job && states.includes(job.state))) return false;
  const stepKey = call.query.get('step_key');
  if (stepKey !== null && !('stepKey' in job && job.stepKey === stepKey)) return false;
  const groupKey = call.query.get('group_key');
  return groupKey === null || (isScript(job) && job.groupKey === groupKey);
}

function startOf(jobs: readonly SampleJob[], query: URLSearchParams, size: number): number {
  const after = query.get('after');
  if (after !== null) return jobs.findIndex((job) => job.id === fromCursor(after)) + 1;
  const before = query.get('before');
  return before === null ? 0 : Math.max(0, jobs.findIndex((job) => job.id === fromCursor(before)) - size);
}

function fromCursor(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}

function cursorUrl(call: Call, size: number, direction?: 'after' | 'before', id = ''): string {
  const query = new URLSearchParams(call.query);
  query.delete('after');
  query.delete('before');
  query.set('per_page', String(size));
  if (direction !== undefined) query.set(direction, Buffer.from(id).toString('base64url'));
  return `${call.view.base}${call.path}?${query.toString()}`;
}
