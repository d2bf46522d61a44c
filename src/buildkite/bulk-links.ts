/**
 * What is had in bulk of a build: the lists of its artifacts, and their download links. Links are kept in memory while
 * they are fresh, never logged and never written but sealed; what they lead to is verified as always. Where there is
 * none for an artifact, REST is asked for that one.
 */
import { type Log, logError } from '../log.ts';
import type { ArtifactFacts, BuildRef } from '../model.ts';
import type { WorkClass } from './budget.ts';
import { createListing } from './bulk-listing.ts';
import type { JobNode, LinkNode } from './bulk-query.ts';
import { type BulkSource, createSources, type LinksOutcome } from './bulk-sources.ts';
import { createWalk, type Walk } from './bulk-walk.ts';
import type { GraphqlMode } from './graphql-reply.ts';
import type { Shelf } from './link-shelf.ts';

export interface Link {
  /** Signed: to be used at once, never to be kept or shown. */
  readonly url: URL;
  /** As upstream states it; null where it does not. */
  readonly sha256: string | null;
}

export interface Links {
  /** Who would be asked now; null: nobody, all is REST's. */
  mode(): GraphqlMode | null;
  /**
   * What these jobs have, in whatever state, as answers come in; their links are kept. A job that is not among what is
   * yielded could not be listed whole: ask REST.
   * @param jobsInBuild of how many these are some
   * @throws when aborted, and then alone
   */
  list(
    ref: BuildRef,
    jobs: readonly string[],
    jobsInBuild: number,
    signal: AbortSignal,
  ): AsyncIterable<Map<string, ArtifactFacts[]>>;
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
  /** Where links are left for other workers, and found; null: nowhere. */
  readonly shelf: Shelf | null;
  readonly log: Log;
  /** Told what became of each query. */
  readonly onOutcome?: (api: GraphqlMode, outcome: LinksOutcome) => void;
  /** Links that are kept at most. */
  readonly capacity?: number;
  /** How long a small build waits for its links, in ms. */
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/** Links are good for ten minutes; with two to spare a download begins in time. */
export const goodMs = 8 * 60_000;
/** So few cost no more by REST. */
const fewest = 3;
/** One in so many of a build's jobs: few. */
const fewOf = 8;
/** A build that lacks so few does not wait for the points of a larger one: REST has them soon, too. */
const small = 20;
const smallPatienceMs = 5000;
const mostWalks = 200;
/** The shelf is looked at once for a job in this while, and so many jobs are remembered for that. */
const lookAgainMs = 30_000;
const mostLooks = 5000;

interface Kept extends LinkNode {
  readonly job: string;
  readonly askedAt: number;
}

/** @returns the links as work of a class asks for them: each waits in its own place, what was found is everyone's */
export function createLinks(options: LinksOptions): (workClass: WorkClass) => Links {
  const { log, shelf, capacity = 30_000, patienceMs = smallPatienceMs, now = Date.now } = options;
  const sources = createSources({ ...options, log, now });
  const kept = new Map<string, Kept>();
  const walks = new Map<string, Walk>();
  /** Jobs that were looked for on the shelf, and when. */
  const looks = new Map<string, { readonly at: number; readonly done: Promise<void> }>();
  /** Whose link was of no use: when that was. */
  const useless = new Map<string, number>();

  function walkOf(build: string, workClass: WorkClass): Walk {
    const walk = walks.get(nameOf(build, workClass)) ?? newWalk(build, workClass, keep);
    return rememberWalk(build, workClass, walk);
  }

  function newWalk(
    build: string,
    workClass: WorkClass,
    onJob: (job: JobNode, askedAt: number) => void,
    jobByJob = false,
  ): Walk {
    return createWalk({ sources, build, workClass, now, onJob, goodMs, jobByJob });
  }

  /** Pages hold all jobs of a build: for a few of many they cost points for the others, of a portal more requests. */
  function areFew(jobs: number, jobsInBuild: number): boolean {
    return sources.mode() === 'graphql' ? jobs * fewOf <= jobsInBuild : jobs <= fewest && jobs * fewOf <= jobsInBuild;
  }

  function rememberWalk(build: string, workClass: WorkClass, walk: Walk): Walk {
    const name = nameOf(build, workClass);
    walks.delete(name);
    walks.set(name, walk);
    if (walks.size > mostWalks) {
      for (const [other, { isIdle }] of walks)
        if (isIdle && other !== name && walks.size > mostWalks) walks.delete(other);
    }
    return walk;
  }

  function keep(job: Pick<JobNode, 'id' | 'links'>, askedAt: number): void {
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

  /** For others: a Redis that is away costs them a query of their own. */
  async function putOnShelf({ id, links }: JobNode, askedAt: number): Promise<void> {
    if (links.length === 0) return;
    await shelf?.put(id, links, askedAt).catch((thrown: unknown) => logError(log, thrown, 'links are not shared'));
  }

  /** Takes what another worker has left of that job. */
  function lookOnShelf(job: string): Promise<void> {
    const known = looks.get(job);
    if (known !== undefined && now() - known.at < lookAgainMs) return known.done;
    const done = (shelf?.take(job) ?? Promise.resolve(null)).then(
      (found) => found === null || keep({ id: job, links: found.links }, found.askedAt),
      (thrown: unknown) => logError(log, thrown, 'links of others cannot be had'),
    );
    looks.delete(job);
    looks.set(job, { at: now(), done: done.then(() => undefined) });
    for (const other of looks.keys()) {
      if (looks.size <= mostLooks) break;
      looks.delete(other);
    }
    return done.then(() => undefined);
  }

  return (workClass) => ({
    mode: sources.mode,
    forget,
    list: async function* (ref, jobs, jobsInBuild, signal) {
      if (jobs.length === 0 || sources.mode() === null) return;
      const listing = createListing();
      const shelving: Promise<void>[] = [];
      const onJob = (job: JobNode, askedAt: number): void => {
        keep(job, askedAt);
        shelving.push(putOnShelf(job, askedAt));
        listing.heard(job);
      };
      const walk = newWalk(ref.build, workClass, onJob, areFew(jobs.length, jobsInBuild));
      rememberWalk(ref.build, workClass, walk);
      const limit = limitOf(jobs.length, signal);
      try {
        for await (const part of listing.run(walk, jobs, limit)) {
          await Promise.all(shelving.splice(0));
          yield part;
        }
      } catch (thrown) {
        if (signal.aborted || !limit.aborted) throw thrown;
      }
    },
    find: async (ref, artifact, missingInBuild, signal) => {
      signal.throwIfAborted();
      const had = take(artifact);
      if (had !== undefined) return had;
      if (sources.mode() === null) return null;
      const { job_id: job, path } = artifact;
      await lookOnShelf(job);
      const found = take(artifact);
      if (found !== undefined || missingInBuild < fewest) return found ?? null;
      const wanted = { job, path, missing: missingInBuild, isFound: () => take(artifact) !== undefined };
      const limit = limitOf(missingInBuild, signal);
      try {
        await walkOf(ref.build, workClass).cover(wanted, limit);
      } catch (thrown) {
        if (signal.aborted || !limit.aborted) throw thrown;
      }
      return take(artifact) ?? null;
    },
  });

  /** What is small does not wait for long. */
  function limitOf(size: number, signal: AbortSignal): AbortSignal {
    return size > small ? signal : AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  }
}

function nameOf(build: string, workClass: WorkClass): string {
  return `${workClass}/${build}`;
}
