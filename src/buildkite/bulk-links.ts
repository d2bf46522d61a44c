/**
 * Download links that were had in bulk. They are kept in memory while they are fresh, never logged and never written;
 * what they lead to is verified as always. Where there is none for an artifact, REST is asked for that one.
 */
import type { Log } from '../log.ts';
import type { ArtifactFacts, BuildRef } from '../model.ts';
import type { WorkClass } from './budget.ts';
import type { JobNode, LinkNode } from './bulk-query.ts';
import { type BulkSource, createSources } from './bulk-sources.ts';
import { createWalk, type Walk } from './bulk-walk.ts';

export interface Link {
  /** Signed: to be used at once, never to be kept or shown. */
  readonly url: URL;
  /** As upstream states it; null where it does not. */
  readonly sha256: string | null;
}

export interface Links {
  /**
   * @param missingInBuild artifacts of the build that are still to be fetched, as far as is known
   * @returns null: ask REST for this one
   * @throws when aborted, and then alone
   */
  find(ref: BuildRef, artifact: ArtifactFacts, missingInBuild: number, signal: AbortSignal): Promise<Link | null>;
  /** The link failed, or has served: it is dropped, and the artifact's next one comes from REST. */
  forget(artifactId: string): void;
}

export interface LinksOptions {
  /** In their order of preference; none: every link comes from REST. */
  readonly sources: readonly BulkSource[];
  readonly log: Log;
  /** Links that are kept at most. */
  readonly capacity?: number;
  /** How long a small build waits for its links, in ms. */
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/** Links are good for ten minutes; with two to spare a download begins in time. */
const goodMs = 8 * 60_000;
/** So few cost no more by REST. */
const fewest = 3;
/** A build that lacks so few does not wait for the points of a larger one: REST has them soon, too. */
const small = 20;
const smallPatienceMs = 5000;
const mostWalks = 200;

interface Kept extends LinkNode {
  readonly job: string;
  readonly askedAt: number;
}

/** @returns the links as work of a class asks for them: each waits in its own place, what was found is everyone's */
export function createLinks(options: LinksOptions): (workClass: WorkClass) => Links {
  const { log, capacity = 30_000, patienceMs = smallPatienceMs, now = Date.now } = options;
  const sources = createSources(options.sources, log, now);
  const kept = new Map<string, Kept>();
  const walks = new Map<string, Walk>();
  /** Whose link was of no use: when that was. */
  const useless = new Map<string, number>();

  function walkOf(build: string, workClass: WorkClass): Walk {
    const name = `${workClass}/${build}`;
    const walk = walks.get(name) ?? createWalk({ sources, build, workClass, now, onJob: keep, goodMs });
    walks.delete(name);
    walks.set(name, walk);
    if (walks.size > mostWalks) {
      for (const [other, { isIdle }] of walks)
        if (isIdle && other !== name && walks.size > mostWalks) walks.delete(other);
    }
    return walk;
  }

  function keep(job: JobNode, askedAt: number): void {
    for (const link of job.links) {
      kept.delete(link.id);
      kept.set(link.id, { ...link, job: job.id, askedAt });
    }
    // The oldest come first: what is over is theirs.
    for (const [id, link] of kept) {
      if (kept.size <= capacity && isGood(link)) break;
      kept.delete(id);
    }
  }

  function isGood({ askedAt }: Kept): boolean {
    return now() - askedAt < goodMs;
  }

  function forget(artifactId: string): void {
    const id = artifactId.toLowerCase();
    kept.delete(id);
    useless.delete(id);
    useless.set(id, now());
    for (const [other, since] of useless) {
      if (useless.size <= capacity && now() - since < goodMs) break;
      useless.delete(other);
    }
  }

  /** @returns undefined where there is none, null where there is one that must not be used */
  function take(artifact: ArtifactFacts): Link | null | undefined {
    const id = artifact.id.toLowerCase();
    if (now() - (useless.get(id) ?? Number.NEGATIVE_INFINITY) < goodMs) return null;
    const link = kept.get(id);
    if (link === undefined || !isGood(link)) return undefined;
    const { url, sha256, job, path, size, sha1 } = link;
    const isSame = job === artifact.job_id && path === artifact.path && size === artifact.size;
    if (url !== null && isSame && (artifact.sha1 === null || sha1 === artifact.sha1)) return { url, sha256 };
    forget(id);
    return null;
  }

  return (workClass) => ({
    forget,
    find: async (ref, artifact, missingInBuild, signal) => {
      signal.throwIfAborted();
      const had = take(artifact);
      if (had !== undefined) return had;
      if (missingInBuild < fewest || !sources.isOpen()) return null;
      const { job_id: job, path } = artifact;
      const wanted = { job, path, missing: missingInBuild, isFound: () => take(artifact) !== undefined };
      const limit = missingInBuild > small ? signal : AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
      try {
        await walkOf(ref.build, workClass).cover(wanted, limit);
      } catch (thrown) {
        if (signal.aborted || !limit.aborted) throw thrown;
      }
      return take(artifact) ?? null;
    },
  });
}
