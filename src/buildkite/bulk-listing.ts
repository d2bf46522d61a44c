/** Jobs that are listed in bulk, as answers about them come in: whose list is whole is handed on at once. */
import type { ArtifactFacts } from '../model.ts';
import type { JobNode } from './bulk-query.ts';
import type { Walk } from './bulk-walk.ts';

export interface Listing {
  /** To be told each answer about a job. */
  heard(job: JobNode): void;
  /**
   * Asks for the jobs and yields what was listed, by job; of which upstream said less than all there is, nothing.
   * @throws when aborted
   */
  run(walk: Walk, jobs: readonly string[], signal: AbortSignal): AsyncIterable<Map<string, ArtifactFacts[]>>;
}

export function createListing(): Listing {
  const whole = new Set<string>();
  let ready = new Map<string, ArtifactFacts[]>();
  let wake = (): void => undefined;

  return {
    heard: (job) => {
      const artifacts = new Map(job.links.map((link) => [link.id, link]));
      if (artifacts.size < job.count || whole.has(job.id)) return;
      whole.add(job.id);
      ready.set(
        job.id,
        [...artifacts.values()].map(({ id, path, state, mimeType, size, sha1, sha256 }) => ({
          id,
          job_id: job.id,
          path,
          state,
          mime_type: mimeType,
          size,
          sha1,
          sha256,
        })),
      );
      wake();
    },
    run: async function* (walk, jobs, signal) {
      const wantedOf = (job: string) => ({ job, path: '', missing: Infinity, isFound: () => whole.has(job) });
      const asked = Promise.all(jobs.map((job) => walk.cover(wantedOf(job), signal))).then(() => 'over' as const);
      // Who stops reading is not there to hear how it ends.
      asked.catch(() => undefined);
      for (let news: 'over' | 'more' = 'more'; news !== 'over'; ) {
        const heard = new Promise<'more'>((resolve) => {
          wake = () => resolve('more');
        });
        news = ready.size > 0 ? 'more' : await Promise.race([heard, asked]);
        const part = ready;
        ready = new Map();
        if (part.size > 0) yield part;
      }
    },
  };
}
