/** Builds of any size for tests and benches; the same arguments give the same build. Linear, and cheap in memory. */
import type { Content } from '../standin/bytes.ts';
import { commitFrom, uuidFrom } from '../standin/ids.ts';
import type { SampleArtifact, SampleBuild, SampleJob, ScriptJob } from '../standin/sample.ts';
import { acme, makePipeline, people } from './team.ts';

export interface GenerateOptions {
  /** Slug of a pipeline of `acme`; its uuid follows from `pipelineSeed`, or from the slug. */
  readonly pipeline?: string;
  readonly pipelineSeed?: string;
  readonly number?: number;
  readonly branch?: string;
  readonly state?: string;
  readonly jobs?: number;
  readonly artifactsPerJob?: number;
  /** Of each artifact, or by its job and place in it. */
  readonly bytes?: number | ((job: number, artifact: number) => number);
  readonly path?: (job: number, artifact: number) => string;
  readonly content?: (job: number, artifact: number) => Content;
  /** Of each log; 0: no log. */
  readonly logBytes?: number;
  /** When the build finished, ms since 1970. */
  readonly finishedAt?: number;
  /** Another seed gives other bytes and other ids. */
  readonly seed?: string;
}

/** 2026-08-20 12:00 UTC: any fixed time will do. */
const someTime = Date.UTC(2026, 7, 20, 12);

export function generateBuild(options: GenerateOptions = {}): SampleBuild {
  const { number = 1, branch = 'main', finishedAt = someTime, state = 'passed' } = options;
  const pipeline = makePipeline(options.pipeline ?? 'web', options.pipelineSeed);
  const seed = `${options.seed ?? 'generated'}/${pipeline.id}/${number}`;
  const startedAt = finishedAt - 120_000;
  const jobs: SampleJob[] = [];
  for (let index = 0; index < (options.jobs ?? 1); index += 1) jobs.push(generateJob(options, seed, index, startedAt));
  return {
    organization: acme,
    pipeline,
    id: uuidFrom(seed, startedAt),
    number,
    state,
    blocked: false,
    message: `Change number ${number}`,
    commit: commitFrom(seed),
    branch,
    tag: null,
    source: 'webhook',
    author: people.mira,
    creator: people.mira,
    createdAt: startedAt,
    startedAt,
    finishedAt,
    env: {},
    metaData: {},
    pullRequest: null,
    rebuiltFrom: null,
    jobs,
    annotations: [],
  };
}

function generateJob(options: GenerateOptions, buildSeed: string, index: number, startedAt: number): ScriptJob {
  const seed = `${buildSeed}/${index}`;
  const artifacts: SampleArtifact[] = [];
  for (let place = 0; place < (options.artifactsPerJob ?? 1); place += 1) {
    artifacts.push(generateArtifact(options, seed, index, place, startedAt));
  }
  return {
    type: 'script',
    id: uuidFrom(seed, startedAt + index),
    name: `Job ${index}`,
    stepKey: `step-${index}`,
    groupKey: null,
    state: 'passed',
    command: 'make test',
    exitStatus: 0,
    softFailed: false,
    createdAt: startedAt,
    startedAt: startedAt + 1000,
    finishedAt: (options.finishedAt ?? someTime) - 1000,
    retriedInJobId: null,
    retriesCount: null,
    retrySource: null,
    retryType: null,
    parallel: null,
    matrix: null,
    agent: 'agent-1',
    log: generateLog(options.logBytes ?? 256),
    artifacts,
  };
}

const logLine = Buffer.from('\u001b_bk;t=1787227200000\u0007ok - everything is as it was\r\n');

function generateLog(size: number): ScriptJob['log'] {
  return size === 0 ? null : { content: { repeat: logLine, size } };
}

function generateArtifact(
  options: GenerateOptions,
  jobSeed: string,
  job: number,
  place: number,
  startedAt: number,
): SampleArtifact {
  const seed = `${jobSeed}/${place}`;
  const { bytes = 64 } = options;
  const size = typeof bytes === 'number' ? bytes : bytes(job, place);
  return {
    id: uuidFrom(seed, startedAt + 1000 + place),
    path: options.path?.(job, place) ?? `out/${job}/file-${place}.bin`,
    mimeType: 'application/octet-stream',
    state: 'finished',
    content: options.content?.(job, place) ?? { seed, size },
  };
}
