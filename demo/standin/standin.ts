/** What one may say to the stand-in, and ask of it. */
import type { Behaviour } from './call.ts';
import type { FaultKind, Faults } from './faults.ts';
import type { Limiter, Limits } from './limits.ts';
import type { SampleBuild } from './sample.ts';
import type { StandInToken } from './tokens.ts';

export interface StandInOptions extends Partial<Behaviour> {
  /** 0, the default: a free one. A restarted stand-in keeps the ports it had. */
  readonly apiPort?: number;
  readonly storagePort?: number;
  readonly tokens?: readonly StandInToken[];
  /** Buildkite's documented limits unless told; null: none. */
  readonly limits?: Limits | null;
  /** Before each answer. */
  readonly latency?: Partial<Latency>;
  readonly webhookIps?: readonly string[];
  /** Whether `requests` is kept (default). */
  readonly recording?: boolean;
  readonly now?: () => number;
}

export interface Latency {
  apiMs: number;
  storageMs: number;
}

export type Side = 'api' | 'storage';

export interface SeenRequest {
  readonly at: Side;
  readonly method: string;
  /** With the query where it holds no secret: a link's signature does not get here. */
  readonly path: string;
  readonly authorization: boolean;
  readonly range: string | null;
  readonly fault: FaultKind['kind'] | null;
  /** 0 while, or when, nothing was answered. */
  status: number;
  /** Of the body, when it has been sent. */
  bytes: number;
}

export interface StandInAddress {
  /** `http://127.0.0.1:<port>` */
  readonly apiUrl: string;
  readonly storageUrl: string;
  /** `127.0.0.1:<port>` */
  readonly storageHost: string;
}

export interface StandIn {
  start(): Promise<StandInAddress>;
  /** Ends all connections; it can be started again, with what it knows and at the same ports. */
  stop(): Promise<void>;
  /** Adds a build, or replaces the one with its pipeline and number. */
  put(build: SampleBuild): void;
  remove(organization: string, pipeline: string, number: number): boolean;
  /** Meaningful once started. */
  readonly address: StandInAddress;
  readonly requests: SeenRequest[];
  readonly faults: Faults;
  readonly limiter: Limiter;
  readonly latency: Latency;
  readonly tokens: readonly StandInToken[];
}
