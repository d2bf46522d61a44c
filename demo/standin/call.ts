/** A request to the API, once its sender and its route are known, and what all handlers share. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './answer.ts';
import type { FaultKind } from './faults.ts';
import type { DateFormat, View } from './render.ts';
import type { StandInServices } from './sample.ts';
import type { StoredBuild, StoredJob, StoredScript, Upstream } from './upstream.ts';

export interface Behaviour {
  readonly dates: DateFormat;
  /** How long a download link is good. */
  readonly linkSeconds: number;
  /** Whether a build's artifact listing has those of attempts that were retried. Buildkite does not say. */
  readonly retriedInBuildListing: boolean;
  /** The last place in a list of builds that can be asked for. */
  readonly deepestBuild: number;
  /** Whether answers over 1 KiB are compressed for those who accept that. */
  readonly gzip: boolean;
}

export interface Call {
  readonly upstream: Upstream;
  readonly services: StandInServices;
  readonly behaviour: Behaviour;
  readonly method: string;
  /** Without the query, as it was sent. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Empty where none is read. */
  readonly body: string;
  /** The parts of the path that the route names; absent ones are empty. */
  readonly organization: string;
  readonly pipeline: string;
  readonly number: number;
  readonly job: string;
  readonly artifact: string;
  readonly service: string;
  readonly headers: IncomingHttpHeaders;
  readonly view: View;
  readonly storageUrl: string;
  readonly fault: FaultKind | null;
  readonly now: () => number;
}

export type Handler = (call: Call) => Answer;

export function buildOf(call: Call): StoredBuild | undefined {
  return call.upstream.build(call.organization, call.pipeline, call.number);
}

/** The job of the path, if it is in the build that the path names, or in the organization for the short form. */
export function jobOf(call: Call): StoredJob | StoredScript | undefined {
  const stored = call.upstream.job(call.job.toLowerCase());
  if (stored === undefined || stored.home.build.organization.slug !== call.organization) return undefined;
  const { pipeline, number } = stored.home.build;
  return call.pipeline === '' || (pipeline.slug === call.pipeline && number === call.number) ? stored : undefined;
}

export function scriptOf(call: Call): StoredScript | undefined {
  const stored = jobOf(call);
  return stored !== undefined && 'artifacts' in stored ? stored : undefined;
}

export function flag(call: Call, name: string, fallback = false): boolean {
  const value = call.query.get(name);
  return value === null ? fallback : value === 'true';
}
