/** Gaps that no task cares for any more: after hours of vain attempts, after a loss of Redis, after a crash. */
import type { TaskQueue } from '../queue/queue.ts';
import type { DataPaths } from '../tree/paths.ts';
import { listUnsettled, removeEmptyGaps } from '../tree/unsettled.ts';

/** Tasks that are queued already stay single. @returns how many gaps there are */
export async function takeUpGaps(paths: DataPaths, queue: Pick<TaskQueue, 'enqueue'>): Promise<number> {
  await removeEmptyGaps(paths);
  const open = await listUnsettled(paths);
  for (const { organization, pipeline, number, build, learnedFrom } of open) {
    const payload = { organization, pipeline, number, build, learnedFrom, heardAt: null, finishedAt: null, job: null };
    await queue.enqueue({ name: 'read-build', payload }, { workClass: 'reconcile' });
  }
  return open.length;
}
