/** Builds whose records are damaged in a test: how they are mirrored before, and looked at anew afterwards. */
import { existsSync } from 'node:fs';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { type Mirror, placeOf } from './harness.ts';
import { buildOf, scriptOf, textArtifact } from './samples.ts';
import { until } from './until.ts';

/** Of each job the texts of its artifacts; one more has a name that has no place in a tree. */
export async function mirrorTexts(mirror: Mirror, jobs: readonly (readonly string[])[]): Promise<SampleBuild> {
  const build = buildOf(
    jobs.map((texts) => [
      ...texts.map((text, at) => textArtifact(`out/${at}.txt`, text)),
      textArtifact('a/../b', 'odd'),
    ]),
    { logBytes: 300 },
  );
  mirror.standIn.put(build);
  await mirror.tell(build);
  await mirror.settled(build);
  return build;
}

export function recordFile({ paths }: Mirror, build: SampleBuild, job = 0): string {
  return paths.jobFile(placeOf(build), scriptOf(build, job).id, 'job.json');
}

/** As a delivery has it done, and waits for the end of it. */
export async function lookAnew(mirror: Mirror, build: SampleBuild): Promise<void> {
  const where = { organization: 'acme', pipeline: build.pipeline.slug, number: build.number, build: build.id };
  const payload = { ...where, learnedFrom: 'webhook', heardAt: null, finishedAt: null, job: null } as const;
  await mirror.queue.enqueue({ name: 'read-build', payload });
  await mirror.idle();
  await until(() => !existsSync(mirror.paths.unsettledBuild(build.id)), 'the gap to be closed', 60_000);
  await mirror.idle();
}
