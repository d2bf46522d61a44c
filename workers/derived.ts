/** Tasks that nothing on disk would ask for again but a mark of their own. */
import type { EnqueueOptions } from '../src/queue/queue.ts';
import type { Outcome } from '../src/queue/run.ts';
import { identityOf, type Task } from '../src/queue/tasks.ts';
import { dueSince, noteDue, strikeDue } from '../src/tree/due.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import type { Asking } from './damaged-record.ts';

export type DerivedTask = Extract<Task, { name: 'mirror-job' | 'publish-build' | 'publish-pipeline' | 'index-log' }>;

/** The mark of what lost its last name to a drop and is to go at once: a sweep with that in its payload ends it, and no other. */
export const sweepNow = identityOf({ name: 'sweep', payload: { graceMs: 0 } });

export async function enqueueDerived(
  { paths, queue }: Asking,
  task: DerivedTask,
  options: EnqueueOptions = {},
): Promise<void> {
  noteDue(paths, identityOf(task));
  await queue.enqueue(task, options);
}

/** Does the task's work; where it throws or is to go on later, it is still due. */
export async function derive(paths: DataPaths, task: DerivedTask, work: () => Promise<Outcome>): Promise<Outcome> {
  const identity = identityOf(task);
  const since = dueSince(paths, identity);
  const outcome = await work();
  if (outcome === undefined) strikeDue(paths, identity, since);
  return outcome;
}
