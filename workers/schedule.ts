/** When the tasks that keep house run: by marks on the disk, so that any number of workers make one schedule. */
import { type Log, logError } from '../src/log.ts';
import type { Task } from '../src/queue/tasks.ts';
import { isDue } from '../src/tree/marks.ts';
import type { Upkeep } from './upkeep.ts';

const lookEveryMs = 15_000;
const dayMs = 86_400_000;

interface Entry {
  readonly task: Task;
  readonly everyMs: number;
}

/** @returns ends it */
export function startSchedule(upkeep: Upkeep, { dropEveryMs }: { dropEveryMs: number }, log: Log): () => void {
  const entries: Entry[] = [
    { task: { name: 'drop', payload: {} }, everyMs: dropEveryMs },
    { task: { name: 'sweep', payload: {} }, everyMs: dayMs },
  ];
  const look = async (): Promise<void> => {
    for (const { task, everyMs } of entries) {
      if (isDue(upkeep.paths, task.name, everyMs)) await upkeep.queue.enqueue(task, { workClass: 'bulk' });
    }
  };
  const tell = (error: unknown): void => logError(log, error, 'the schedule could not be looked at');
  const timer = setInterval(() => void look().catch(tell), lookEveryMs);
  void look().catch(tell);
  return () => clearInterval(timer);
}
