/** index-log: the page of a job's log, and the index by which a browser, a search and an assistant read parts of it. */
import { writeLogIndex } from '../src/logs/index-file.ts';
import { indexLog } from '../src/logs/index-log.ts';
import { renderLog } from '../src/pages/log.ts';
import type { Outcome } from '../src/queue/run.ts';
import type { Payload } from '../src/queue/tasks.ts';
import { writeDerived } from '../src/tree/files.ts';
import { placeOf, slugOf } from '../src/tree/pipelines.ts';
import { readJobRecord } from '../src/tree/records.ts';
import type { WorkerContext } from './context.ts';
import { enqueueDerived } from './derived.ts';
import { logPage } from './log-pages.ts';
import { createSlots } from './slots.ts';

/** Each reads a log from end to end and keeps a processor busy: one after the other. */
const slots = createSlots(1);
/** Several logs of one build are found by one publish. */
const searchableAfterMs = 1000;

export async function indexJobLog(worker: WorkerContext, task: Payload<'index-log'>): Promise<Outcome> {
  const { paths, logScript } = worker;
  const place = await placeOf(paths, task.pipelineId, task.number);
  const job = await readJobRecord(paths, place, task.job);
  if (job?.log?.state !== 'present') return undefined;
  const { size } = job.log;
  const file = paths.jobFile(place, job.id, 'log.txt');
  const { index: found, lines, shown } = await slots.run(() => indexLog(file, size));
  // It was fetched anew meanwhile: the task that came with it is behind this one.
  if (found.size !== size) return undefined;
  const failure = job.state === 'passed' ? { line: null, decisive: [] } : found.failure;
  const index = { ...found, failure, shown };
  await writeLogIndex(paths, place, job.id, index);
  const pipeline = (await slugOf(paths, task.pipelineId)) ?? task.pipeline;
  const page = renderLog({
    build: { organization: place.organization, pipeline, number: place.number },
    job,
    lines,
    from: 1,
    shown,
    total: index.lines,
    failing: index.failure.line,
    script: logScript,
  });
  await writeDerived(paths, logPage(paths, place, job.id), page);
  // The search index has these lines, and the build may be in it already.
  const { job: _, ...payload } = task;
  if (index.failure.decisive.length > 0)
    await enqueueDerived(worker, { name: 'publish-build', payload }, { delayMs: searchableAfterMs });
  return undefined;
}
