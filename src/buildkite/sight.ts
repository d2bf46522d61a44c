/**
 * Whether a pipeline can be seen: itself, or the list of its builds. Buildkite answers 404 for what is not
 * there and also for what the token may not see, so a 404 says that something is gone only where the pipeline above it is seen
 * after that. What is found is shared: however many wait for it, one request tells all of them.
 */
import { MirrorError } from '../errors.ts';
import type { BuildRef } from '../model.ts';

/** Where a build is, and whose it is where that is known. */
export type UpstreamRef = BuildRef & { readonly pipelineId?: string | null };

/** Whether a 404 below the pipeline counts; `slug`: the name that the pipeline has now, where it does not. */
export type Verdict = { readonly counts: true } | { readonly counts: false; readonly slug: string | null };

export const unseenReason = 'Buildkite answers 404 for its pipeline: deleted, renamed, or the token may not see it';

export interface SightSources {
  /** The uuid of the pipeline of that name; null where the token may not see it, or may see no pipelines at all. */
  pipelineAt(organization: string, pipeline: string, signal: AbortSignal): Promise<string | null>;
  /** The uuid of the pipeline whose builds are listed under that name, for who may see builds alone; null where none are. */
  builtAt(organization: string, pipeline: string, signal: AbortSignal): Promise<string | null>;
  /** The slugs of all that the token sees, by their uuids; none where it may see no pipelines. */
  pipelines(organization: string, signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  readonly now?: () => number;
}

export interface Sight {
  /** Asks, no earlier than now. @throws MirrorError where upstream does not answer that */
  look(ref: UpstreamRef, signal: AbortSignal): Promise<Verdict>;
  /** Whether it was looked for in vain only just now: what is below it need not be asked for. */
  isUnseen(ref: UpstreamRef): boolean;
  /** Something below it was answered: earlier looks in vain count for nothing. */
  saw(ref: UpstreamRef): void;
}

/** A look in vain is believed for a quarter of the time that there has been nothing to see, within these. */
const leastMs = 2000;
const mostMs = 15 * 60_000;
/** The names of all pipelines are a request for each hundred; where many are hidden, one list is for all of them. */
const namesMs = 30_000;
/** No look lasts longer, whatever its requests wait for. */
const lookMs = 10 * 60_000;

interface InVain {
  readonly since: number;
  readonly at: number;
  readonly verdict: Verdict;
}

interface Running {
  readonly answer: Promise<Verdict>;
  /** For those who came when that had been asked already. */
  next: Promise<Verdict> | null;
}

export function createSight({ pipelineAt, builtAt, pipelines, now = Date.now }: SightSources): Sight {
  const inVain = new Map<string, InVain>();
  const running = new Map<string, Running>();
  const names = new Map<string, { readonly at: number; readonly slugs: ReadonlyMap<string, string> }>();

  async function namesOf(organization: string, notBefore: number, signal: AbortSignal) {
    const known = names.get(organization);
    if (known !== undefined && known.at >= notBefore) return known.slugs;
    const at = now();
    const slugs = await pipelines(organization, signal);
    names.set(organization, { at, slugs });
    return slugs;
  }

  async function ask({ organization, pipeline, pipelineId = null }: UpstreamRef): Promise<Verdict> {
    const begun = now();
    const signal = AbortSignal.timeout(lookMs);
    const itself = await pipelineAt(organization, pipeline, signal);
    const found = itself ?? (await builtAt(organization, pipeline, signal));
    if (found !== null && (pipelineId === null || found === pipelineId)) return { counts: true };
    if (pipelineId === null) return { counts: false, slug: null };
    const slugs = await namesOf(organization, found === null ? begun - namesMs : begun, signal);
    const slug = slugs.get(pipelineId) ?? null;
    // Two pipelines never share a name: ours has lost it, and has no other.
    if (slug === null && itself !== null) return { counts: true };
    return { counts: false, slug: slug === pipeline ? null : slug };
  }

  function start(key: string, ref: UpstreamRef): Promise<Verdict> {
    const answer = ask(ref)
      .then((verdict) => note(key, verdict))
      .catch((thrown: unknown) => {
        throw thrown instanceof MirrorError
          ? thrown
          : new MirrorError(
              'ERR_UPSTREAM_UNAVAILABLE',
              'Buildkite did not say whether a pipeline is there',
              {},
              thrown,
            );
      });
    const entry: Running = { answer, next: null };
    running.set(key, entry);
    const end = (): void => void (running.get(key) === entry && running.delete(key));
    answer.then(end, end);
    return answer;
  }

  function note(key: string, verdict: Verdict): Verdict {
    const at = now();
    if (verdict.counts) inVain.delete(key);
    else inVain.set(key, { since: inVain.get(key)?.since ?? at, at, verdict });
    return verdict;
  }

  return {
    isUnseen: (ref) => {
      const last = inVain.get(keyOf(ref));
      if (last === undefined || last.verdict.counts || last.verdict.slug !== null) return false;
      const believedMs = Math.min(mostMs, Math.max(leastMs, (last.at - last.since) / 4));
      return Math.abs(now() - last.at) < believedMs;
    },
    saw: (ref) => {
      for (const pipelineId of [ref.pipelineId ?? null, null]) inVain.delete(keyOf({ ...ref, pipelineId }));
    },
    look: async (ref, signal) => {
      signal.throwIfAborted();
      const key = keyOf(ref);
      const first = running.get(key);
      if (first === undefined) return orAborted(start(key, ref), signal);
      // What was asked before a 404 came does not tell what that means.
      first.next ??= first.answer.then(
        () => start(key, ref),
        () => start(key, ref),
      );
      return orAborted(first.next, signal);
    },
  };
}

function keyOf({ organization, pipeline, pipelineId }: UpstreamRef): string {
  return `${organization}/${pipeline}/${pipelineId ?? ''}`;
}

/** Who leaves does not end what others wait for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const leave = (): void => left.reject(signal.reason);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
