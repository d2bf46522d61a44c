/** Has a worker do something now and waits for its end: what a command asks of the tree is done by workers alone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError } from '../errors.ts';
import type { Task } from '../queue/tasks.ts';
import { type Mark, readMark } from '../tree/marks.ts';
import type { CommandContext } from './command.ts';
import { openMirror, openTasks } from './parts.ts';
import { startProgress } from './progress.ts';

const lookEveryMs = 200;
/** A worker that is there takes up such a task at once. */
const begunWithinMs = 60_000;

/**
 * @param unit what its progress counts
 * @throws MirrorError ERR_NOT_READY when no worker takes it, ERR_INTERNAL with what the worker said when it failed
 */
export async function awaitTask(context: CommandContext, task: Task, unit: string): Promise<Mark> {
  const { io, signal } = context;
  const paths = openMirror(context);
  const before = (await readMark(paths, task.name))?.began_at ?? '';
  const queue = await openTasks(context);
  await queue.enqueue(task, { urgent: true });
  const progress = startProgress(io, { unit });
  const until = Date.now() + begunWithinMs;
  for (;;) {
    const mark = await readMark(paths, task.name);
    const isOurs = mark !== null && mark.began_at > before;
    if (isOurs && mark.ended_at !== null) {
      progress.end();
      if (mark.error !== null) throw new MirrorError('ERR_INTERNAL', `the worker broke off: ${mark.error}`);
      return mark;
    }
    if (!isOurs && Date.now() > until) {
      throw new MirrorError('ERR_NOT_READY', 'no worker has taken the task up; it stays queued until one runs');
    }
    progress.at(mark?.done ?? 0, mark?.total ?? null);
    await sleep(lookEveryMs, undefined, { signal });
  }
}
