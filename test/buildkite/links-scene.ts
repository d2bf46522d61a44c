/** A build upstream, its artifacts as REST lists them, and links to them in bulk. */
import type { TestContext } from 'node:test';
import { type GenerateOptions, generateBuild } from '../../demo/samples/generate.ts';
import { digestOf, sizeOf } from '../../demo/standin/bytes.ts';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import type { StandIn, StandInOptions } from '../../demo/standin/standin.ts';
import type { Budget } from '../../src/buildkite/budget.ts';
import { createLinks, type Link, type Links, type LinksOptions } from '../../src/buildkite/bulk-links.ts';
import type { GraphqlMode } from '../../src/buildkite/graphql-reply.ts';
import type { ArtifactFacts, BuildRef } from '../../src/model.ts';
import { started } from '../demo/ask.ts';
import { client, notedLog, portal } from './queries.ts';

const signal = AbortSignal.timeout(200_000);

export interface Scene {
  readonly standIn: StandIn;
  readonly build: SampleBuild;
  readonly ref: BuildRef;
  readonly artifacts: ArtifactFacts[];
  readonly links: Links;
  readonly lines: string[];
  /** What became of each query. */
  readonly outcomes: string[];
  readonly asked: () => number;
  readonly points: () => number;
  now: number;
  find(artifact: ArtifactFacts, missing?: number): Promise<Link | null>;
}

export interface SceneOptions {
  readonly generate?: GenerateOptions;
  readonly change?: (build: SampleBuild) => SampleBuild;
  readonly modes?: readonly GraphqlMode[];
  readonly standIn?: StandInOptions;
  readonly token?: string;
  readonly wanted?: boolean;
  readonly bounds?: Partial<Pick<LinksOptions, 'capacity' | 'patienceMs'>>;
  readonly budget?: Budget;
}

export async function scene(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const { modes = ['portal'], wanted = true } = options;
  const standIn = await started(t, { portals: [portal], ...options.standIn });
  const build = (options.change ?? ((same) => same))(
    generateBuild({ jobs: 4, artifactsPerJob: 5, ...options.generate }),
  );
  standIn.put(build);
  const { log, lines } = notedLog();
  const sources = modes.map((mode) => {
    const token = mode === 'graphql' && options.token !== undefined ? { token: options.token } : {};
    const budget = options.budget === undefined ? {} : { budget: options.budget };
    return { api: client(t, standIn, { mode, ...token, ...budget }), wanted };
  });
  const outcomes: string[] = [];
  const onOutcome = (_api: string, outcome: string): void => void outcomes.push(outcome);
  const links = createLinks({ sources, shelf: null, log, onOutcome, now: () => scene.now, ...options.bounds })('live');
  const { organization, pipeline, number } = build;
  const ref = { organization: organization.slug, pipeline: pipeline.slug, number, build: build.id };
  const artifacts = factsOf(build);
  const queries = () => standIn.requests.filter(({ at }) => at === 'graphql' || at === 'portal');
  const scene: Scene = {
    standIn,
    build,
    ref,
    artifacts,
    links,
    lines,
    outcomes,
    now: 1_000_000,
    asked: () => queries().length,
    points: () => queries().reduce((sum, { points }) => sum + (points ?? 0), 0),
    find: (artifact, missing = artifacts.length) => links.find(ref, artifact, missing, signal),
  };
  return scene;
}

export function factsOf(build: SampleBuild): ArtifactFacts[] {
  return build.jobs.flatMap((job) =>
    'artifacts' in job
      ? job.artifacts.map(({ id, path, state, mimeType, content }) => ({
          id,
          job_id: job.id,
          path,
          state,
          mime_type: mimeType,
          size: sizeOf(content),
          sha1: digestOf(content, 'sha1'),
          sha256: null,
        }))
      : [],
  );
}

/** Jobs at a time, the oldest first, as a worker takes them. */
export async function takeAll({ artifacts, find }: Scene, jobsAtOnce = 16): Promise<(Link | null)[]> {
  const jobs = [...Map.groupBy(artifacts, ({ job_id }) => job_id).values()];
  const found: (Link | null)[] = [];
  let left = artifacts.length;
  const lane = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      found.push(...(await Promise.all(job.map((artifact) => find(artifact, left)))));
      left -= job.length;
    }
  };
  await Promise.all(Array.from({ length: jobsAtOnce }, lane));
  return found;
}

export const found = (links: readonly (Link | null)[]): number => links.filter((link) => link !== null).length;
