/**
 * Asks the workers to read running jobs' logs, for those who watch them: of one job, and over all jobs, only so often,
 * however many watch. What is asked for while too much is asked for is asked again by the watcher.
 */
import type { TaskQueue } from '../queue/queue.ts';
import type { Payload } from '../queue/tasks.ts';

/** In so long each job is asked for once, and so many jobs are. */
const windowMs = 5000;
const jobsInWindow = 2;

export type Watch = (task: Payload<'tail-log'>) => Promise<void>;

export function createWatch(queue: Pick<TaskQueue, 'enqueue'>, now: () => number = Date.now): Watch {
  const asked = new Map<string, number>();
  return async (payload) => {
    for (const [job, at] of asked) if (Math.abs(now() - at) >= windowMs) asked.delete(job);
    if (asked.has(payload.job) || asked.size >= jobsInWindow) return;
    asked.set(payload.job, now());
    await queue.enqueue({ name: 'tail-log', payload }, { workClass: 'watch' });
  };
}
