/** Delivers the webhooks of the sample builds as Buildkite would, and watches the mirror until each build is there. */
import { setTimeout as pause } from 'node:timers/promises';
import { BuildRecord, JobRecord } from '../src/model.ts';
import { deliver } from './deliver.ts';
import { isScript, type SampleBuild, type ScriptJob } from './standin/sample.ts';

export interface Mirrored {
  readonly build: SampleBuild;
  readonly record: BuildRecord;
  /** From the answer to its `build.finished` to its being complete and visible, ms. */
  readonly lagMs: number;
}

interface Delivery {
  readonly at: number;
  readonly build: SampleBuild;
  readonly job: ScriptJob | null;
}

const pollMs = 25;

export function placeOf(build: SampleBuild): string {
  return `${build.organization.slug}/${build.pipeline.slug}/builds/${build.number}`;
}

/**
 * In the order in which all this happened: `job.finished` for each job that ran, `build.finished` after the last one.
 * @returns when each build's `build.finished` was accepted, ms since 1970
 * @throws Error at the first delivery that is not answered 202
 */
export async function deliverAll(
  url: string,
  builds: readonly SampleBuild[],
  token: string,
): Promise<Map<SampleBuild, number>> {
  const accepted = new Map<SampleBuild, number>();
  const deliveries = builds.flatMap(deliveriesOf).toSorted((left, right) => left.at - right.at);
  for (const { build, job } of deliveries) {
    const event = job === null ? 'build.finished' : 'job.finished';
    const status = await deliver(`${url}/-/webhooks/buildkite`, event, build, job, token);
    if (status !== 202) throw new Error(`${event} of ${placeOf(build)} was answered ${status}, not 202`);
    if (job === null) accepted.set(build, Date.now());
  }
  return accepted;
}

function deliveriesOf(build: SampleBuild): Delivery[] {
  const jobs = build.jobs.filter(isScript).filter((job) => job.finishedAt !== null);
  return [
    ...jobs.map((job) => ({ at: job.finishedAt ?? 0, build, job })),
    { at: build.finishedAt ?? Number.MAX_SAFE_INTEGER, build, job: null },
  ];
}

/**
 * Waits until the build is settled under its public address.
 * @throws Error naming what is missing and why, when `until` aborts first
 */
export async function untilMirrored(
  url: string,
  build: SampleBuild,
  acceptedAt: number,
  until: AbortSignal,
): Promise<Mirrored> {
  for (;;) {
    const record = await readRecord(url, build);
    if (record?.settled && isWhole(record, build)) return { build, record, lagMs: Date.now() - acceptedAt };
    if (until.aborted)
      throw new Error(`${placeOf(build)} was not mirrored in time: ${await whatIsMissing(url, build, record)}`);
    await pause(pollMs);
  }
}

/** Settled may be said of the jobs known so far: whole is a build with all its jobs, in its final state. */
function isWhole(record: BuildRecord, build: SampleBuild): boolean {
  const recorded = new Map(record.jobs.map((job) => [job.id, job]));
  return (
    record.state === build.state &&
    build.jobs.filter(isScript).every((job) => job.finishedAt === null || recorded.get(job.id)?.url != null)
  );
}

async function readRecord(url: string, build: SampleBuild): Promise<BuildRecord | null> {
  const response = await fetch(`${url}/${placeOf(build)}/build.json`);
  const body = await response.text();
  return response.ok ? BuildRecord.parse(JSON.parse(body)) : null;
}

async function whatIsMissing(url: string, build: SampleBuild, record: BuildRecord | null): Promise<string> {
  if (record === null) return 'it has no build.json';
  const lines = [`${record.present} of ${record.expected} files, state ${record.state}`];
  for (const job of record.jobs) {
    if (job.settled && job.url !== null) continue;
    if (job.url === null) {
      if (job.type === 'script') lines.push(`job ${job.id}: not looked at yet`);
      continue;
    }
    const response = await fetch(`${url}/${placeOf(build)}/${job.url}`);
    const { artifacts, log } = JobRecord.parse(await response.json());
    for (const file of [...artifacts, ...(log === null ? [] : [{ ...log, path: 'log.txt' }])]) {
      if (file.state !== 'present') lines.push(`${job.id} ${file.path}: ${file.state}, ${file.reason ?? 'no reason'}`);
    }
  }
  return lines.join('\n  ');
}
