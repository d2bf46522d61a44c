/** When the tasks that keep house run: by marks on the disk, so that any number of workers make one schedule. */
import { type Log, logError } from '../src/log.ts';
import type { Task } from '../src/queue/tasks.ts';
import { writtenAt } from '../src/tree/files.ts';
import { isDue } from '../src/tree/marks.ts';
import { listDamaged } from '../src/tree/quarantine.ts';
import { listTombstones } from '../src/tree/tombstones.ts';
import type { Upkeep } from './upkeep.ts';
import { isVerifyDue } from './verify.ts';

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
    if (await isVerifyDue(upkeep)) await upkeep.queue.enqueue({ name: 'verify', payload: {} }, { workClass: 'bulk' });
    if (writtenAt(upkeep.paths.rebuildDue) !== null) await upkeep.queue.enqueue({ name: 'rebuild', payload: {} });
    const isOpen = (await listTombstones(upkeep.paths)).some(({ done_at: done }) => done === null);
    if (isOpen) await upkeep.queue.enqueue({ name: 'purge', payload: {} });
    // What a command or a crash left to be mended is not for a schedule to wait for.
    if ((await listDamaged(upkeep.paths)).length > 0) await upkeep.queue.enqueue({ name: 'repair', payload: {} });
    for (const { task, everyMs } of entries) {
      if (isDue(upkeep.paths, task.name, everyMs)) await upkeep.queue.enqueue(task, { workClass: 'bulk' });
    }
  };
  const startStranded = async (): Promise<void> => {
    const tasks = await upkeep.queue.startStranded();
    if (tasks > 0) log.warn({ tasks }, 'the clock was set back: tasks that are put off are started now');
  };
  const tell = (error: unknown): void => logError(log, error, 'the schedule could not be looked at');
  const lookAtAll = (): void => {
    void look().catch(tell);
    void startStranded().catch(tell);
  };
  const timer = setInterval(lookAtAll, lookEveryMs);
  lookAtAll();
  return () => clearInterval(timer);
}
