/** The tasks themselves, for operators: which there are, why they wait or failed, again now, or away. */
import { Queue, type Job as QueueJob } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WorkClass } from '../buildkite/budget.ts';
import { classOf, type QueueName, queues } from './tasks.ts';

export const taskStates = ['active', 'prioritized', 'waiting', 'delayed', 'failed'] as const;
export type TaskState = (typeof taskStates)[number];

export interface TaskView {
  readonly id: string;
  readonly queue: QueueName;
  readonly name: string;
  readonly state: TaskState;
  readonly class: WorkClass;
  /** Of the build, where it is about one. */
  readonly pipeline: string | null;
  readonly number: number | null;
  readonly build: string | null;
  readonly job: string | null;
  readonly attempts: number;
  /** ISO 8601: when it was enqueued, and when it runs next. */
  readonly enqueued_at: string;
  readonly due_at: string | null;
  /** Of its last failed run. */
  readonly error: string | null;
}

export interface Desk {
  list(states: readonly TaskState[], limit: number): Promise<TaskView[]>;
  /** A task that failed or rests runs as soon as there is a place. @returns false where it does neither, or is not there */
  retry(id: string): Promise<boolean>;
  /** The build's gap stays: the next comparison takes it up. @returns false where it runs this moment, or is not there */
  drop(id: string): Promise<boolean>;
}

/** @param redis a producer's connection; stays open */
export function openDesk(redis: Redis): Desk {
  const all = (Object.keys(queues) as QueueName[]).map((name) => ({
    name,
    queue: new Queue(queues[name], { connection: redis, skipVersionCheck: true }),
  }));

  async function find(id: string): Promise<QueueJob | null> {
    for (const { queue } of all) {
      const job = await queue.getJob(id);
      if (job !== undefined) return job;
    }
    return null;
  }

  return {
    list: async (states, limit) => {
      const found: TaskView[] = [];
      for (const { name, queue } of all) {
        for (const state of states) {
          const jobs = await queue.getJobs([state], 0, limit - 1, true);
          // A task may end between the list and the look.
          found.push(...jobs.filter((job) => job !== undefined).map((job) => viewOf(job, name, state)));
        }
      }
      return found.slice(0, limit);
    },
    retry: async (id) => {
      const job = await find(id);
      if (job === null) return false;
      if (await job.isFailed()) await job.retry('failed');
      else if (await job.isDelayed()) await job.promote();
      else return false;
      return true;
    },
    drop: async (id) => {
      const job = await find(id);
      if (job === null || (await job.isActive())) return false;
      await job.remove();
      return true;
    },
  };
}

function viewOf(job: QueueJob, queue: QueueName, state: TaskState): TaskView {
  const data = job.data as Record<string, unknown>;
  const text = (name: string): string | null => (typeof data[name] === 'string' ? data[name] : null);
  return {
    id: job.id ?? '',
    queue,
    name: job.name,
    state,
    class: classOf(job.priority),
    pipeline: text('pipeline') ?? text('folder'),
    number: typeof data['number'] === 'number' ? data['number'] : null,
    build: text('build'),
    job: text('job'),
    attempts: job.attemptsMade,
    enqueued_at: new Date(job.timestamp).toISOString(),
    due_at: state === 'delayed' ? new Date(job.timestamp + job.delay).toISOString() : null,
    error: job.failedReason ?? null,
  };
}
