/** Gaps, and work on what is derived, that no task cares for any more: after hours of vain attempts, after a loss of Redis, after a crash. */
import type { TaskQueue } from '../queue/queue.ts';
import type { Task } from '../queue/tasks.ts';
import type { Catalog } from '../search/catalog.ts';
import { isMarked } from '../tree/dropping.ts';
import { dueSince, listDue, strikeDue } from '../tree/due.ts';
import { writtenAt } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import { eachUnsettled, removeEmptyGaps } from '../tree/unsettled.ts';

/** Tasks that are queued already stay single. @returns how many gaps there are */
export async function takeUpGaps(paths: DataPaths, queue: Pick<TaskQueue, 'enqueue'>): Promise<number> {
  await removeEmptyGaps(paths);
  let gaps = 0;
  for await (const { organization, pipeline, number, build, learnedFrom } of eachUnsettled(paths)) {
    gaps += 1;
    const payload = { organization, pipeline, number, build, learnedFrom, heardAt: null, finishedAt: null, job: null };
    await queue.enqueue({ name: 'read-build', payload }, { workClass: 'reconcile' });
  }
  return gaps;
}

/** What is behind the records though no gap is open for it: pages of pipelines and logs, a neighbour's. */
export async function takeUpDue(
  paths: DataPaths,
  queue: Pick<TaskQueue, 'enqueue'>,
  catalog: Pick<Catalog, 'find'>,
): Promise<void> {
  for (const identity of await listDue(paths)) {
    const task = taskOf(identity, catalog);
    if (isGone(paths, identity)) strikeDue(paths, identity, dueSince(paths, identity));
    // Of a build that the catalog does not know (yet) the mark stays.
    else if (task !== null) await queue.enqueue(task, { workClass: 'reconcile' });
  }
}

/** What retention has removed, or what was moved, has nothing that could be behind. */
function isGone(paths: DataPaths, identity: string): boolean {
  const [name, first = '', second = ''] = identity.split('/');
  if (name === 'publish-pipeline') return writtenAt(paths.pipeline(first, second)) === null;
  return name !== 'sweep' && isMarked(paths, first);
}

function taskOf(identity: string, catalog: Pick<Catalog, 'find'>): Task | null {
  const [name, first = '', second = ''] = identity.split('/');
  if (name === 'sweep') return { name, payload: { graceMs: 0 } };
  if (name === 'publish-pipeline') return { name, payload: { organization: first, folder: second, number: null } };
  const summary = catalog.find(first)?.summary;
  if (summary === undefined) return null;
  const { organization, pipeline, number, id: build, pipeline_id: pipelineId } = summary;
  const payload = { organization, pipeline, number, build, pipelineId };
  if (name === 'publish-build') return { name, payload };
  return name === 'index-log' || name === 'mirror-job' ? { name, payload: { ...payload, job: second } } : null;
}
