/** What follows a look at a build: its jobs are mirrored, those that failed first, and then it is published. */
import type { WorkClass } from '../src/buildkite/budget.ts';
import { type BuildFacts, type BuildRef, hasFailed, type JobFacts } from '../src/model.ts';
import type { EnqueueOptions } from '../src/queue/queue.ts';
import { clearTornStubs, closeUnsettled, listStubs, readUnsettled } from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';

export type Work = BuildRef & { readonly pipelineId: string };

export function pick({ organization, pipeline, number, build }: BuildRef): BuildRef {
  return { organization, pipeline, number, build };
}

/** Builds of the default branch are what most people look for. */
export function classFor(build: BuildFacts, workClass: WorkClass): WorkClass {
  const isMain = build.branch === build.pipeline.default_branch && build.pull_request === null;
  return workClass === 'live' && isMain ? 'main' : workClass;
}

/** Jobs that failed go first: they are what someone will look at. */
export async function enqueueJobs(
  { queue }: WorkerContext,
  work: Work,
  jobs: readonly Pick<JobFacts, 'id' | 'state' | 'soft_failed'>[],
  workClass: WorkClass,
): Promise<void> {
  await Promise.all(
    jobs.map((job) =>
      queue.enqueue(
        { name: 'mirror-job', payload: { ...work, job: job.id } },
        { ...askedOf(workClass), later: !hasFailed(job) },
      ),
    ),
  );
}

/** Where someone waits, what rests after a failure is tried now. */
function askedOf(workClass: WorkClass): EnqueueOptions {
  return workClass === 'person' ? { urgent: true } : { workClass };
}

/** All that has a stub of an earlier reading is to be mirrored, and then the build is published. */
export async function enqueueRest(
  worker: WorkerContext,
  work: Work,
  made: ReadonlySet<string>,
  workClass: WorkClass,
): Promise<void> {
  const stubs = await listStubs(worker.paths, work.build);
  await Promise.all(
    stubs
      .filter((job) => !made.has(job))
      .map((job) => worker.queue.enqueue({ name: 'mirror-job', payload: { ...work, job } }, askedOf(workClass))),
  );
  if (stubs.length === 0) await worker.queue.enqueue({ name: 'publish-build', payload: work }, { urgent: true });
}

/** A build that is gone upstream: what was begun is brought to its end, each file with its reason. */
export async function resume(worker: WorkerContext, ref: BuildRef, workClass: WorkClass): Promise<void> {
  const entry = await readUnsettled(worker.paths, ref.build);
  await clearTornStubs(worker.paths, ref.build, new Set());
  if (entry?.pipelineId === null) await closeUnsettled(worker.paths, entry);
  else if (entry !== null)
    await enqueueRest(worker, { ...pick(entry), pipelineId: entry.pipelineId }, new Set(), workClass);
}
