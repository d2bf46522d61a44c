/** What one may say to the stand-in, and ask of it. */
import type { Behaviour } from './call.ts';
import type { FaultKind, Faults, Side } from './faults.ts';
import type { PageSize } from './graphql-cost.ts';
import type { Limiter, Limits, PortalLimiter, PortalLimits } from './limits.ts';
import type { PointLimiter, PointLimits } from './points.ts';
import type { Portal } from './portals.ts';
import type { SampleBuild, StandInService, StandInServices } from './sample.ts';
import type { StandInToken } from './tokens.ts';

export interface StandInOptions extends Partial<Behaviour> {
  /** 0, the default: a free one. A restarted stand-in keeps the ports it had. */
  readonly apiPort?: number;
  readonly storagePort?: number;
  readonly tokens?: readonly StandInToken[];
  /** Buildkite's documented limits unless told; null: none. */
  readonly limits?: Limits | null;
  readonly graphql?: GraphqlOptions;
  readonly portals?: readonly Portal[];
  /** Of all portals together: as documented unless told, none where `limits` is null; null: none. */
  readonly portalLimits?: PortalLimits | null;
  /** Before each answer. */
  readonly latency?: Partial<Latency>;
  readonly webhookIps?: readonly string[];
  /** Notification services that are there at first. */
  readonly services?: readonly StandInService[];
  /** Whether `requests` is kept (default). */
  readonly recording?: boolean;
  readonly now?: () => number;
}

export interface GraphqlOptions {
  /** False: no token has the permission. Else the tokens with the scope `graphql` have it. */
  readonly enabled?: boolean;
  /** As documented unless told, none where the stand-in's `limits` is null; null: none. */
  readonly limits?: Partial<PointLimits> | null;
  /** 500 unless told, of both. */
  readonly pageSize?: Partial<PageSize>;
}

export interface Latency {
  apiMs: number;
  storageMs: number;
}

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
  /** What a GraphQL operation cost, and its variables; null: none was run. */
  points: number | null;
  variables: Readonly<Record<string, unknown>> | null;
}

export interface StandInAddress {
  /** `http://127.0.0.1:<port>` */
  readonly apiUrl: string;
  readonly graphqlUrl: string;
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
  /** Takes the right to see the pipeline from all tokens: it, and what is below it, is not found. @throws Error where there is none */
  hide(organization: string, pipeline: string): void;
  show(organization: string, pipeline: string): void;
  /** The pipeline and its builds have another slug from now on; what is below the old one is not found. */
  rename(organization: string, pipeline: string, to: string): void;
  removePipeline(organization: string, pipeline: string): void;
  /** Adds a portal, or replaces the one with its slug. @throws Error when its document does not fit the schema */
  putPortal(portal: Portal): void;
  /** Meaningful once started, as is the one below it. */
  readonly address: StandInAddress;
  portalUrl(slug: string, organization?: string): string;
  /** As the API and whoever holds them have changed them. */
  readonly services: StandInServices;
  readonly requests: SeenRequest[];
  readonly faults: Faults;
  readonly limiter: Limiter;
  readonly points: PointLimiter;
  readonly portalLimiter: PortalLimiter;
  readonly latency: Latency;
  readonly tokens: readonly StandInToken[];
}
