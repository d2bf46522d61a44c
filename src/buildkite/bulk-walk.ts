/**
 * The links of one build, asked for as they are wanted: page after page of its jobs while several jobs wait, or one
 * job by itself. One query at a time; all who wait for a job that it covers go on with its answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkClass } from './budget.ts';
import {
  aroundJob,
  bulkDocument,
  choosePage,
  expectedPoints,
  type JobNode,
  mostItems,
  type PageSizes,
  parseJob,
  parsePage,
} from './bulk-query.ts';
import type { BulkSources } from './bulk-sources.ts';
import type { GraphqlAnswer } from './graphql-reply.ts';

export interface WalkOptions {
  readonly sources: BulkSources;
  readonly build: string;
  readonly workClass: WorkClass;
  readonly now: () => number;
  /** Told the links of each job that an answer covers, and when they were asked for. */
  readonly onJob: (job: JobNode, askedAt: number) => void;
  /** How long links are good for, in ms. */
  readonly goodMs: number;
  /** No pages: each job by itself. */
  readonly jobByJob: boolean;
}

export interface Wanted {
  readonly job: string;
  readonly path: string;
  /** Artifacts of the build that are still to be fetched, as far as is known. */
  readonly missing: number;
  /** Whether there is a link by now. */
  readonly isFound: () => boolean;
}

export interface Walk {
  /** Resolves when there is no more to be learned of this artifact for now, whatever came of it. @throws when aborted */
  cover(wanted: Wanted, signal: AbortSignal): Promise<void>;
  readonly isIdle: boolean;
}

interface Page extends PageSizes {
  readonly before: string | null;
  points: number;
  askedAt: number;
}

interface SeenJob {
  readonly page: Page | null;
  readonly heardAt: number;
  /** How many artifacts it has, and how many of them were listed. */
  readonly count: number;
  readonly listed: number;
  /** When it was asked for by itself, by the path that was asked for. */
  readonly alone: Map<string, number>;
}

interface Waiter {
  readonly wanted: Wanted;
  readonly go: () => void;
}

/** Several jobs that start together are asked for together. */
const gatherMs = 15;
/** An answer that young says what there is; after an older one, a job may have uploaded more. */
const youngMs = 2000;
/** A job is not asked for by itself again before, nor a build of which nothing could be had. */
const againMs = 30_000;
const pauseMs = 60_000;
/** Fewer missing artifacts than these are no reason to walk through a build's jobs. */
const walkFrom = 10;
/** A page whose links are too old is asked for again when that costs at most so many points for each that is missing. */
const wornPoints = 4;

export function createWalk({ sources, build, workClass, now, onJob, goodMs, jobByJob }: WalkOptions): Walk {
  const waiting = new Set<Waiter>();
  const seen = new Map<string, SeenJob>();
  let next: { readonly before: string | null } | null = { before: null };
  let totals = { jobs: 0, artifacts: 0, largest: 0 };
  let flight: AbortController | null = null;
  let notBefore = 0;

  /** What would tell more of that artifact; null: nothing would, or not yet. */
  function planFor({ job, path, missing }: Wanted): 'unseen' | Page | { job: string; path: string | null } | null {
    const known = seen.get(job);
    if (known === undefined) return 'unseen';
    const { page, count, listed, alone } = known;
    if (now() - known.heardAt < youngMs && count <= listed) return null;
    if (page !== null && now() - page.askedAt > goodMs && missing * wornPoints >= page.points) return page;
    // Both ends of a list at once; of a longer one, those of the artifact's folder.
    const pattern = count > 2 * mostItems ? folderPattern(path) : null;
    if (count > 2 * mostItems && pattern === null) return null;
    const last = alone.get(pattern ?? endsOf(count)) ?? Number.NEGATIVE_INFINITY;
    return now() - last < againMs ? null : { job, path: pattern };
  }

  async function step(signal: AbortSignal): Promise<void> {
    const unseen = [...waiting].filter(({ wanted }) => !seen.has(wanted.job));
    const jobs = new Set(unseen.map(({ wanted }) => wanted.job));
    const missing = Math.max(0, ...unseen.map(({ wanted }) => wanted.missing));
    if (!jobByJob && next !== null && jobs.size > 1 && missing >= walkFrom) {
      await askPage(newPage(next.before), signal);
      return;
    }
    const [first] = waiting;
    const plan = first === undefined ? null : planFor(first.wanted);
    if (first === undefined || plan === null) return;
    if (plan === 'unseen') await askJob(first.wanted.job, null, signal);
    else if ('job' in plan) await askJob(plan.job, plan.path, signal);
    else await askPage(plan, signal);
  }

  function newPage(before: string | null): Page {
    const { jobs, artifacts, largest } = totals;
    const known = jobs === 0 ? null : { mean: artifacts / jobs, largest };
    const sizes = choosePage(known, sources.pagePoints());
    return { ...sizes, before, points: expectedPoints(sizes, known?.mean ?? 250), askedAt: 0 };
  }

  async function askPage(page: Page, signal: AbortSignal): Promise<void> {
    const { before, jobs, artifacts, points } = page;
    const answer = await ask({ build, jobs, before, artifacts }, points, signal);
    const found = answer === null ? null : parsePage(answer.data);
    if (answer === null || found === null) {
      if (answer !== null) sources.unknown(build);
      pause();
      return;
    }
    sources.used(found.jobs.every(isWhole));
    page.askedAt = now() - answer.ageMs;
    page.points = found.jobs.reduce((sum, { links }) => sum + aroundJob + links.length, aroundJob);
    if (next?.before === before) next = found.next === null || found.next === before ? null : { before: found.next };
    for (const job of found.jobs) {
      note(job, page);
      onJob(job, page.askedAt);
    }
  }

  async function askJob(job: string, path: string | null, signal: AbortSignal): Promise<void> {
    const known = seen.get(job);
    const count = known?.count ?? 250;
    const tail = count > mostItems;
    const points = 2 * aroundJob + Math.min(count, tail ? 2 * mostItems : mostItems);
    const answer = await ask({ alone: true, job, artifacts: mostItems, path, tail }, points, signal);
    if (answer === null) {
      pause();
      return;
    }
    const found = parseJob(answer.data);
    sources.used(found?.id === job && isWhole(found));
    const askedAt = now() - answer.ageMs;
    // A job that the token does not see has nothing to be learned of; that is not the same as no artifacts.
    const node = found?.id === job ? found : { id: job, count: 0, listed: 0, links: [] };
    // What a path has says nothing of the whole.
    const whole = path === null ? node : { ...node, count, listed: known?.listed ?? 0 };
    note(whole, known?.page ?? null).alone.set(path ?? endsOf(count), now());
    if (found?.id === job) onJob(whole, askedAt);
  }

  function note({ id, count, listed }: JobNode, page: Page | null): SeenJob {
    const before = seen.get(id);
    const entry = { page, heardAt: now(), count, listed, alone: before?.alone ?? new Map<string, number>() };
    seen.set(id, entry);
    if (before === undefined) {
      const { jobs, artifacts, largest } = totals;
      totals = { jobs: jobs + 1, artifacts: artifacts + count, largest: Math.max(largest, count) };
    }
    return entry;
  }

  function ask(variables: Record<string, unknown>, points: number, signal: AbortSignal): Promise<GraphqlAnswer | null> {
    return sources.ask({ document: bulkDocument, variables, points, workClass, signal });
  }

  /** Nobody answers, or there is no such build for this token: all who wait go on without links. */
  function pause(): void {
    notBefore = now() + pauseMs;
  }

  /** Asks until nobody waits any more. */
  async function run(controller: AbortController): Promise<void> {
    try {
      await sleep(gatherMs, undefined, { signal: controller.signal });
      while (waiting.size > 0) {
        await step(controller.signal);
        for (const waiter of waiting) if (isDone(waiter.wanted)) waiter.go();
      }
    } catch (thrown) {
      // Those who waited have left; who came since has a flight of their own.
      if (controller.signal.aborted) return;
      sources.distrust(thrown);
      pause();
      for (const waiter of waiting) waiter.go();
    } finally {
      if (flight === controller) flight = null;
    }
  }

  function isDone(wanted: Wanted): boolean {
    return now() < notBefore || wanted.isFound() || planFor(wanted) === null;
  }

  return {
    get isIdle() {
      return waiting.size === 0;
    },
    cover: (wanted, signal) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        if (isDone(wanted)) {
          resolve();
          return;
        }
        const leave = (): void => {
          waiting.delete(waiter);
          if (waiting.size === 0) flight?.abort(signal.reason);
          reject(signal.reason as Error);
        };
        const go = (): void => {
          waiting.delete(waiter);
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const waiter: Waiter = { wanted, go };
        signal.addEventListener('abort', leave, { once: true });
        waiting.add(waiter);
        if (flight !== null && !flight.signal.aborted) return;
        flight = new AbortController();
        void run(flight);
      }),
  };
}

/** Names what is asked of a job: the first of its artifacts, or the last ones too. */
function endsOf(count: number): string {
  return count > mostItems ? 'both ends' : 'first';
}

/** Of files in the same folder; null where the folder's name would mean something else in a pattern, or there is none. */
function folderPattern(path: string): string | null {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  return folder === '' || /[*?[\]{}\\!]/.test(folder) ? null : `${folder}*`;
}

/** Whether all that is listed can be read, and what has ended has a link. */
function isWhole({ links, listed }: JobNode): boolean {
  return links.length === listed && links.every(({ state, url }) => state !== 'finished' || url !== null);
}
