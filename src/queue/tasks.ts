/**
 * The table of tasks: what each is called, what it carries, when two are the same, how often and how long it is tried.
 * A task holds ids only: no secrets, no URLs that were signed.
 */
import { z } from 'zod';
import type { WorkClass } from '../buildkite/budget.ts';
import { BuildNumber, BuildRef, type Hint, Slug, Uuid } from '../model.ts';

/**
 * Who waits for a task; a lower number runs first. Between two classes there is room for the tasks' ranks. Who watches waits
 * as a person does, for little work; it is the requests for it that are limited.
 */
export const classes = { person: 1, watch: 6, main: 11, live: 21, reconcile: 31, bulk: 41 } as const satisfies Record<
  WorkClass,
  number
>;

/** Work that nobody waits for has a queue of its own, so that it never holds the places of work that someone does. */
export const queues = { live: 'kitemirror', bulk: 'kitemirror-bulk' } as const;
export type QueueName = keyof typeof queues;

export function queueOf(workClass: WorkClass): QueueName {
  return classes[workClass] < classes.reconcile ? 'live' : 'bulk';
}

/** The class that a priority tells: a task that was raised is of its new class. */
export function classOf(priority: number): WorkClass {
  const names = Object.keys(classes) as WorkClass[];
  return names.findLast((name) => classes[name] <= priority) ?? 'person';
}

const learnedFrom = z.enum(['webhook', 'reconcile', 'backfill', 'reader']);

/** Looks at a build upstream, notes what is missing and has it mirrored. */
const ReadBuild = BuildRef.extend({
  learnedFrom,
  /** When we heard that there is something to see; null: look in any case. */
  heardAt: z.number().nullable(),
  /** What a delivery said: this build, or this job of it, had come to its end at that time (ms). */
  finishedAt: z.number().nullable(),
  job: Uuid.nullable(),
  /** Look at each job anew, also where all is mirrored as it was: upstream, or the settings, may say otherwise by now. */
  again: z.boolean().optional(),
});
const MirrorJob = BuildRef.extend({ pipelineId: Uuid, job: Uuid });
/** The page of a job's log, and the index that it is read by. */
const IndexLog = MirrorJob;
/** The end of a running job's log, for who watches it. */
const TailLog = MirrorJob;
const PublishBuild = BuildRef.extend({ pipelineId: Uuid });
/** `graceMs`: a blob that changed more recently stays. */
const Sweep = z.object({ graceMs: z.number().optional() });
/** `policy`: the policy that it was asked for by, setting by setting; a worker that goes by another leaves it. */
const Drop = z.object({ policy: z.record(z.string(), z.string()).optional() });
const Nothing = z.object({});
const PublishPipeline = z.object({ organization: Slug, folder: z.string(), number: BuildNumber.nullable() });

interface TaskRule<Payload> {
  readonly payload: z.ZodType<Payload>;
  /** Tasks of one name and key are one task. */
  readonly key: (payload: Payload) => string;
  readonly attempts: number;
  /** First wait between attempts, in ms; it doubles up to `maxBackoffMs`, with half of it at random. */
  readonly backoffMs: number;
  /** Added to the class's number: derived work goes before new work, so that what is fetched is soon visible. */
  readonly rank: number;
  /** A run that makes no end of it by then is given up and tried again. */
  readonly timeoutMs: number;
}

function rule<Payload>(definition: TaskRule<Payload>): TaskRule<Payload> {
  return definition;
}

const hourMs = 3_600_000;

export const tasks = {
  'read-build': rule({
    payload: ReadBuild,
    // Of two that wait the queue keeps one: a look at all must not give way to one at the news.
    key: (task) => (task.again === true ? `${task.build}/again` : task.build),
    attempts: 30,
    backoffMs: 1000,
    rank: 1,
    timeoutMs: hourMs,
  }),
  'mirror-job': rule({
    payload: MirrorJob,
    key: (task) => `${task.build}/${task.job}`,
    attempts: 30,
    backoffMs: 1000,
    rank: 2,
    // 5,000 artifacts at a REST budget of 40 a minute take two hours.
    timeoutMs: 24 * hourMs,
  }),
  'index-log': rule({
    payload: IndexLog,
    key: (task) => `${task.build}/${task.job}`,
    attempts: 10,
    backoffMs: 500,
    rank: 3,
    timeoutMs: hourMs,
  }),
  'tail-log': rule({
    payload: TailLog,
    key: (task) => `${task.build}/${task.job}`,
    // Who still watches asks again.
    attempts: 1,
    backoffMs: 1000,
    rank: 0,
    timeoutMs: 30_000,
  }),
  'publish-build': rule({
    payload: PublishBuild,
    key: (task) => task.build,
    attempts: 10,
    backoffMs: 500,
    rank: 0,
    timeoutMs: hourMs,
  }),
  'publish-pipeline': rule({
    payload: PublishPipeline,
    key: (task) => `${task.organization}/${task.folder}`,
    attempts: 10,
    backoffMs: 500,
    rank: 0,
    timeoutMs: hourMs,
  }),
  drop: rule({
    payload: Drop,
    key: () => 'all',
    attempts: 5,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: 24 * hourMs,
  }),
  verify: rule({
    payload: Nothing,
    key: () => 'all',
    attempts: 3,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: hourMs,
  }),
  'check-tree': rule({
    payload: Nothing,
    key: () => 'all',
    attempts: 3,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: 6 * hourMs,
  }),
  purge: rule({
    payload: Nothing,
    key: () => 'all',
    attempts: 30,
    backoffMs: 5000,
    rank: 0,
    timeoutMs: 24 * hourMs,
  }),
  rebuild: rule({
    payload: Nothing,
    key: () => 'all',
    attempts: 5,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: 24 * hourMs,
  }),
  repair: rule({
    payload: Nothing,
    key: () => 'all',
    attempts: 10,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: 24 * hourMs,
  }),
  sweep: rule({
    payload: Sweep,
    key: () => 'all',
    attempts: 5,
    backoffMs: 10_000,
    rank: 3,
    timeoutMs: 6 * hourMs,
  }),
};

export const maxBackoffMs = 15 * 60_000;

export type TaskName = keyof typeof tasks;
export type Payload<Name extends TaskName> = z.infer<(typeof tasks)[Name]['payload']>;
export type Task = { [Name in TaskName]: { readonly name: Name; readonly payload: Payload<Name> } }[TaskName];

/** The one task that a delivery asks for, whatever its event. */
export function taskOfHint(hint: Hint): Task {
  const { organization, pipeline, number, build, job, finishedAt, heardAt } = hint;
  return {
    name: 'read-build',
    payload: { organization, pipeline, number, build, job, finishedAt, heardAt, learnedFrom: 'webhook' },
  };
}

/** Name and key: what two tasks must share to be one. */
export function identityOf(task: Task): string {
  const { key } = tasks[task.name] as TaskRule<Task['payload']>;
  return `${task.name}/${key(task.payload)}`;
}
