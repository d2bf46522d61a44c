/** Tasks that nothing on disk would ask for again but a mark of their own. */
import type { EnqueueOptions } from '../src/queue/queue.ts';
import type { Outcome } from '../src/queue/run.ts';
import { identityOf, type Task } from '../src/queue/tasks.ts';
import { dueSince, noteDue, strikeDue } from '../src/tree/due.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import type { WorkerContext } from './context.ts';

export type DerivedTask = Extract<Task, { name: 'publish-build' | 'publish-pipeline' | 'index-log' }>;

export async function enqueueDerived(
  { paths, queue }: Pick<WorkerContext, 'paths' | 'queue'>,
  task: DerivedTask,
  options: EnqueueOptions = {},
): Promise<void> {
  noteDue(paths, identityOf(task));
  await queue.enqueue(task, options);
}

/** Does the task's work; where it throws, it is still due. */
export async function derive(paths: DataPaths, task: DerivedTask, work: () => Promise<Outcome>): Promise<Outcome> {
  const identity = identityOf(task);
  const since = dueSince(paths, identity);
  const outcome = await work();
  if (outcome === undefined) strikeDue(paths, identity, since);
  return outcome;
}
