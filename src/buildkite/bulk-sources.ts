/** Who may be asked for links in bulk now: the portal where there is one, else GraphQL where the token may. */
import { type MirrorError, toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import type { Graphql, GraphqlRequest } from './graphql.ts';
import type { GraphqlAnswer, GraphqlMode } from './graphql-reply.ts';

export interface BulkSource {
  readonly api: Graphql;
  /** Whether the settings ask for it: then a refusal is a warning. Else it is found out, and that is all. */
  readonly wanted: boolean;
}

/** A page should cost about this: small enough to be soon there and to share a window with others. */
const pagePoints = { graphql: 400, portal: 2500 } as const;
/** How long a source that may not is left alone, and one that could not answer. */
const deniedMs = 3_600_000;
const failedMs = 60_000;
/** What goes on failing is said once in this while. */
const warnMs = deniedMs;

/** Closed set: the label of a metric. `partial`: an error came with it, or something in it cannot be used. */
export type LinksOutcome = 'ok' | 'partial' | 'unknown' | 'denied' | 'unavailable' | 'malformed';

interface State {
  readonly source: BulkSource;
  restsUntil: number;
  /** The token that was refused: another one is tried at once. */
  refused: string | null;
  warnedAt: number;
}

export interface BulkSources {
  /** Which source would be asked now; null: none. */
  mode(): GraphqlMode | null;
  pagePoints(): number;
  /** @returns null when no source answers now @throws when aborted */
  ask(request: GraphqlRequest): Promise<GraphqlAnswer | null>;
  /** There is no such build for the token: the portal is another organization's, or the build is gone. */
  unknown(build: string): void;
  /** An answer came but could not be used. */
  distrust(thrown: unknown): void;
  /** An answer came and was used; `isWhole`: all of it. */
  used(isWhole: boolean): void;
}

export interface SourcesOptions {
  /** In their order of preference. */
  readonly sources: readonly BulkSource[];
  readonly log: Log;
  readonly now: () => number;
  /** Told what became of each query. */
  readonly onOutcome?: ((api: GraphqlMode, outcome: LinksOutcome) => void) | undefined;
}

export function createSources({ sources, log, now, onOutcome }: SourcesOptions): BulkSources {
  const states = sources.map(
    (source): State => ({ source, restsUntil: 0, refused: null, warnedAt: Number.NEGATIVE_INFINITY }),
  );
  let last: State | undefined;
  let cameWithError = false;
  const note = (outcome: LinksOutcome): void => {
    if (last !== undefined) onOutcome?.(last.source.api.mode, outcome);
  };

  function open(): State | undefined {
    return states.find(
      ({ source, restsUntil, refused }) => now() >= restsUntil || (refused !== null && source.api.token() !== refused),
    );
  }

  function rest(state: State, thrown: unknown): void {
    const { api, wanted } = state.source;
    const error = toMirrorError(thrown);
    const isDenied = error.code === 'ERR_UPSTREAM_DENIED';
    onOutcome?.(api.mode, outcomeOf(error));
    state.restsUntil = now() + (isDenied ? deniedMs : failedMs);
    state.refused = isDenied ? api.token() : null;
    if (now() - state.warnedAt < warnMs) return;
    state.warnedAt = now();
    if (isDenied && !wanted)
      log.info({ api: api.mode }, 'the token may not use GraphQL: each link is asked for by REST');
    else warn(error, api.mode);
  }

  function warn(error: MirrorError, api: string): void {
    const { code, message, details } = error;
    log.warn({ ...details, api, code, error: message }, 'links cannot be had in bulk: each is asked for by REST');
  }

  return {
    mode: () => open()?.source.api.mode ?? null,
    pagePoints: () => {
      const api = open()?.source.api;
      return api === undefined ? pagePoints.graphql : Math.min(pagePoints[api.mode], api.mostPoints());
    },
    ask: async (request) => {
      for (let state = open(); state !== undefined; state = open()) {
        try {
          const answer = await state.source.api.ask(request);
          if (answer.error !== null) {
            log.info({ api: state.source.api.mode, error: answer.error }, 'links came with an error');
          }
          [last, state.refused, cameWithError] = [state, null, answer.error !== null];
          return answer;
        } catch (thrown) {
          if (request.signal.aborted) throw thrown;
          rest(state, thrown);
        }
      }
      return null;
    },
    used: (isWhole) => note(isWhole && !cameWithError ? 'ok' : 'partial'),
    unknown: (build) => {
      note('unknown');
      log.info(
        { build, api: last?.source.api.mode },
        'the query for links finds no such build: each is asked for by REST',
      );
    },
    distrust: (thrown) => {
      if (last === undefined) logError(log, thrown, 'links could not be read');
      else rest(last, thrown);
    },
  };
}

function outcomeOf({ code }: MirrorError): LinksOutcome {
  if (code === 'ERR_UPSTREAM_DENIED') return 'denied';
  return code === 'ERR_UPSTREAM_UNAVAILABLE' ? 'unavailable' : 'malformed';
}
