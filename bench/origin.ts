/** The local origin that all sides fetch from, each server in a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SampleBuild } from '../demo/standin/sample.ts';
import type { StandInAddress } from '../demo/standin/standin.ts';
import { endChild, nextMessage, startScript } from './children.ts';
import { type BenchBuild, type BuildPlan, makeBuild, renumber } from './files.ts';
import { type Storage, startStorage } from './storage.ts';

export interface Origin {
  /** As the mirror's settings want it. */
  readonly address: StandInAddress;
  readonly storage: Storage;
  /** What it is made of, for the reader of the numbers. */
  readonly facts: readonly string[];
  /** Makes the files and shows the build upstream. */
  add(plan: BuildPlan): Promise<BenchBuild>;
  /** Shows the same files as another build. */
  addAgain(build: BenchBuild, number: number): Promise<BenchBuild>;
  stop(): Promise<void>;
}

export interface OriginOptions {
  /** Where the files are kept; best in memory. */
  readonly folder: string;
  readonly path: string;
  readonly signal: AbortSignal;
  /** All API requests go to the stand-in itself, also those for a download. */
  readonly plainApi?: boolean;
}

export async function startOrigin({ folder, path, signal, plainApi = false }: OriginOptions): Promise<Origin> {
  const files = join(folder, 'files');
  mkdirSync(files, { recursive: true });
  const api = startScript('origin-api.ts');
  try {
    const { apiPort } = await nextMessage<{ apiPort: number }>(api, signal);
    const storage = await startStorage({ folder: join(folder, 'storage'), files, apiPort, path, signal });
    const front = plainApi ? null : storage.apiUrl;
    const apiUrl = front ?? `http://127.0.0.1:${apiPort}`;
    return {
      address: {
        apiUrl,
        graphqlUrl: `${apiUrl}/v1`,
        storageUrl: storage.url,
        storageHost: storage.url.replace('http://', ''),
      },
      storage,
      facts: [
        `origin: ${storage.server} sends the files, the stand-in for Buildkite answers the API` +
          `${front === null ? '' : `, ${storage.server} its redirects to the files`}; each in its own process`,
      ],
      add: async (plan) => {
        const build = makeBuild(plan, files, storage.url);
        await show(api, build.sample, signal);
        return build;
      },
      addAgain: async (build, number) => {
        const again = renumber(build, number);
        await show(api, again.sample, signal);
        return again;
      },
      stop: async () => {
        await Promise.all([endChild(api), endChild(storage.child)]);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await endChild(api);
    throw error;
  }
}

async function show(api: ChildProcess, build: SampleBuild, signal: AbortSignal): Promise<void> {
  const known = nextMessage(api, signal);
  const { jobs, ...rest } = build;
  // Logs are bytes, which a message does not carry: they are made there.
  api.send({ ...rest, jobs: jobs.map((job) => ('log' in job ? { ...job, log: null } : job)) });
  await known;
}
