/** Builds as these tests want them: generated ones with a change here and there. */
import { type GenerateOptions, generateBuild } from '../../demo/samples/generate.ts';
import type { SampleArtifact, SampleBuild, SampleLog, ScriptJob } from '../../demo/standin/sample.ts';
import type { SeenRequest } from '../../demo/standin/standin.ts';

let numbers = 0;
const anHourAgo = Date.now() - 3_600_000;

/** A finished build of a pipeline of its own, finished an hour ago unless told otherwise. */
export function newBuild(options: GenerateOptions = {}): SampleBuild {
  numbers += 1;
  return generateBuild({ pipeline: `pipeline-${numbers}`, number: numbers, finishedAt: anHourAgo, ...options });
}

export function scriptsOf(build: SampleBuild): ScriptJob[] {
  return build.jobs.filter((job) => job.type === 'script');
}

export function scriptOf(build: SampleBuild, index = 0): ScriptJob {
  const job = scriptsOf(build)[index];
  if (job === undefined) throw new Error(`build ${build.number} has no script job ${index}`);
  return job;
}

export function artifactOf(build: SampleBuild, index = 0, job = 0): SampleArtifact {
  const artifact = scriptOf(build, job).artifacts[index];
  if (artifact === undefined) throw new Error(`job ${job} has no artifact ${index}`);
  return artifact;
}

/** The same build with another job in its place. */
export function withScript(
  build: SampleBuild,
  index: number,
  change: Partial<ScriptJob> | ((job: ScriptJob) => Partial<ScriptJob>),
): SampleBuild {
  const wanted = scriptOf(build, index);
  const changes = typeof change === 'function' ? change(wanted) : change;
  return { ...build, jobs: build.jobs.map((job) => (job === wanted ? { ...wanted, ...changes } : job)) };
}

export function withArtifact(
  build: SampleBuild,
  job: number,
  index: number,
  change: Partial<SampleArtifact>,
): SampleBuild {
  const wanted = artifactOf(build, index, job);
  return withScript(build, job, ({ artifacts }) => ({
    artifacts: artifacts.map((artifact) => (artifact === wanted ? { ...artifact, ...change } : artifact)),
  }));
}

/** An artifact whose bytes are a text; later ones have greater ids. */
export function textArtifact(path: string, text: string, change: Partial<SampleArtifact> = {}): SampleArtifact {
  texts += 1;
  const id = `019a0000-0000-7000-8000-${texts.toString(16).padStart(12, '0')}`;
  return { id, path, mimeType: 'text/plain', state: 'finished', content: Buffer.from(text), ...change };
}

let texts = 0;

/** A build of one job for each list of artifacts. */
export function buildOf(artifacts: readonly (readonly SampleArtifact[])[], options: GenerateOptions = {}): SampleBuild {
  const build = newBuild({ jobs: artifacts.length, artifactsPerJob: 0, logBytes: 0, ...options });
  return artifacts.reduce((all, of, index) => withScript(all, index, { artifacts: of, ...logless(options) }), build);
}

/** A job that has run has a log upstream: a short one, unless the options say how long. */
function logless({ logBytes }: GenerateOptions): { log: SampleLog } | undefined {
  return logBytes === undefined ? { log: { content: Buffer.from('ok\r\n') } } : undefined;
}

/** How often bytes were asked of the storage, by path; those that came to nothing too. */
export function downloads(requests: readonly SeenRequest[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { at, path } of requests) if (at === 'storage') counts.set(path, (counts.get(path) ?? 0) + 1);
  return counts;
}
