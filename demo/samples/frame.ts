/** What the parts of one sample build share, and how they become the build. */
import { commitFrom, uuidFrom } from '../standin/ids.ts';
import type { SampleAnnotation, SampleBuild, SampleJob, SamplePerson, SamplePipeline } from '../standin/sample.ts';
import type { Design } from './screens.ts';
import { acme, people, plantedSecrets } from './team.ts';

export interface Frame {
  readonly pipeline: SamplePipeline;
  readonly number: number;
  readonly branch: string;
  readonly commit: string;
  readonly message: string;
  readonly author: SamplePerson;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly design: Design;
  /** Decides all ids and all that looks random. */
  readonly seed: string;
}

type FrameFacts = Pick<Frame, 'pipeline' | 'number' | 'branch' | 'message' | 'createdAt'> &
  Partial<Pick<Frame, 'author' | 'commit'>>;

export function frameOf(facts: FrameFacts): Frame {
  const seed = `${facts.pipeline.slug}/${facts.number}`;
  const design = facts.branch === 'feature/checkout-redesign' ? 'redesign' : 'classic';
  return { author: people.mira, commit: commitFrom(seed), ...facts, design, seed };
}

export function buildId(frame: Frame): string {
  return uuidFrom(`build ${frame.seed}`, frame.createdAt);
}

/** @param name unique in the build */
export function jobId(frame: Frame, name: string): string {
  return uuidFrom(`job ${frame.seed} ${name}`, frame.createdAt + 40);
}

type Ending = Pick<SampleBuild, 'jobs' | 'state'> & {
  /** From its creation to its end. */
  readonly seconds: number;
} & Partial<Pick<SampleBuild, 'blocked' | 'pullRequest' | 'source' | 'rebuiltFrom' | 'annotations'>>;

export function buildOf(frame: Frame, { seconds, ...ending }: Ending): SampleBuild {
  const { pipeline, number, branch, commit, message, author, createdAt } = frame;
  return {
    organization: acme,
    pipeline,
    id: buildId(frame),
    number,
    blocked: false,
    message,
    commit,
    branch,
    tag: null,
    source: 'webhook',
    author,
    creator: author,
    createdAt,
    startedAt: createdAt + 1800,
    finishedAt: createdAt + seconds * 1000,
    env: { NPM_TOKEN: plantedSecrets.buildEnv },
    metaData: { 'release-key': plantedSecrets.metaData, 'buildkite:git:commit': `commit ${commit}\n\n    ${message}` },
    pullRequest: null,
    rebuiltFrom: null,
    annotations: [],
    ...ending,
  };
}

export function waiter(frame: Frame, name: string): SampleJob {
  return { type: 'waiter', id: jobId(frame, name) };
}

export function annotation(
  frame: Frame,
  facts: Pick<SampleAnnotation, 'context' | 'style' | 'bodyHtml'> & Partial<Pick<SampleAnnotation, 'jobId'>>,
): SampleAnnotation {
  const createdAt = frame.createdAt + 90_000;
  const id = uuidFrom(`annotation ${frame.seed} ${facts.context}`, createdAt);
  return { id, jobId: null, priority: 3, createdAt, ...facts };
}
