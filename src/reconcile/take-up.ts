/** Gaps that no task cares for any more: after hours of vain attempts, after a loss of Redis, after a crash. */
import type { TaskQueue } from '../queue/queue.ts';
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
