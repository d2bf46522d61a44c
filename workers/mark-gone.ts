/** A build that is mirrored and gone upstream: its files stay, and its records say that upstream has them no more. */
import type { BuildRef, JobRecord } from '../src/model.ts';
import { JobFacts } from '../src/model.ts';
import type { Place } from '../src/tree/paths.ts';
import { readBuildRecord, readJobRecord } from '../src/tree/records.ts';
import { type JobStub, openUnsettled, readUnsettled, writeStub } from '../src/tree/unsettled.ts';
import type { WorkerContext } from './context.ts';

/** What upstream no longer has is not waited for. */
const looksInVain = 99;

/** Writes a stub for each job whose record still speaks of files upstream; mirror-job does the rest. */
export async function markGone({ paths }: WorkerContext, ref: BuildRef): Promise<void> {
  const place: Place = { organization: ref.organization, folder: ref.pipeline, number: ref.number };
  const build = await readBuildRecord(paths, place);
  const gap = await readUnsettled(paths, ref.build);
  if (build === null || build.id !== ref.build || gap === null) return;
  await openUnsettled(paths, { ...gap, pipelineId: build.pipeline_id });
  for (const { id, url } of build.jobs) {
    const record = url === null ? null : await readJobRecord(paths, place, id);
    if (record === null || !saysOtherwise(record)) continue;
    await writeStub(paths, stubOf(ref, build.pipeline_id, record, build.jobs.length));
  }
}

function saysOtherwise({ settled, artifacts }: JobRecord): boolean {
  return !settled || artifacts.some(({ upstream_state: state }) => state !== 'deleted');
}

function stubOf(
  { organization, pipeline, number, build }: BuildRef,
  pipelineId: string,
  record: JobRecord,
  jobsInBuild: number,
): JobStub {
  return {
    version: 1,
    organization,
    pipeline,
    number,
    build,
    pipelineId,
    job: JobFacts.parse(record),
    artifacts: [],
    listedAt: new Date().toISOString(),
    jobsInBuild,
    looks: looksInVain,
    buildFinished: true,
    logMayHaveGrown: false,
  };
}
