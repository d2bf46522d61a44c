/** What the stand-in is given to show: builds with their jobs, artifacts and logs. Times are milliseconds since 1970. */
import type { Content } from './bytes.ts';

export interface SampleOrganization {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly createdAt: number;
}

export interface SamplePerson {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

export interface SamplePipeline {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  readonly repository: string;
  readonly defaultBranch: string;
  readonly createdAt: number;
  readonly createdBy: SamplePerson | null;
  /** These three hold secrets in real organizations, and made-up ones here. */
  readonly env: Readonly<Record<string, string>>;
  readonly configuration: string;
  readonly webhookUrl: string;
}

export type ArtifactState = 'new' | 'error' | 'finished' | 'deleted' | 'expired';

export interface SampleArtifact {
  readonly id: string;
  readonly path: string;
  readonly mimeType: string;
  readonly state: ArtifactState;
  readonly content: Content;
  /** What upstream states where that is not what the content is; then it has no SHA-256 unless told here. */
  readonly claims?: { readonly size?: number; readonly sha1?: string | null; readonly sha256?: string | null };
  /** Stored elsewhere: the download leads here, unsigned. */
  readonly location?: string;
  /** Shown as `new` in that many listings (or single answers) before its state is. */
  readonly newForLooks?: number;
}

export interface SampleRetrySource {
  readonly jobId: string;
  readonly retryType: 'manual' | 'automatic';
}

export interface ScriptJob {
  readonly type: 'script';
  readonly id: string;
  readonly name: string;
  readonly stepKey: string | null;
  readonly groupKey: string | null;
  readonly state: string;
  readonly command: string;
  readonly exitStatus: number | null;
  readonly softFailed: boolean;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly retriedInJobId: string | null;
  readonly retriesCount: number | null;
  readonly retrySource: SampleRetrySource | null;
  readonly retryType: 'manual' | 'automatic' | null;
  readonly parallel: { readonly index: number; readonly total: number } | null;
  readonly matrix: Readonly<Record<string, string>> | null;
  /** The agent's host name. */
  readonly agent: string | null;
  readonly log: SampleLog | null;
  readonly artifacts: readonly SampleArtifact[];
}

export interface SampleLog {
  readonly content: Content;
  /** In that many GETs the log ends at `shortBytes` (default: its half), as one whose last part has yet to arrive. */
  readonly shortForLooks?: number;
  readonly shortBytes?: number;
  /** It grows from its job's start on, until all of it is there. */
  readonly bytesPerSecond?: number;
}

export interface WaiterJob {
  readonly type: 'waiter';
  readonly id: string;
}

export interface ManualJob {
  readonly type: 'manual';
  readonly id: string;
  readonly label: string;
  readonly stepKey: string | null;
  readonly state: string;
  readonly unblockedBy: SamplePerson | null;
  readonly unblockedAt: number | null;
}

export interface TriggerJob {
  readonly type: 'trigger';
  readonly id: string;
  readonly name: string;
  readonly stepKey: string | null;
  readonly state: string;
  readonly async: boolean;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly triggered: { readonly id: string; readonly number: number; readonly pipeline: string } | null;
}

export type SampleJob = ScriptJob | WaiterJob | ManualJob | TriggerJob;

export interface SampleAnnotation {
  readonly id: string;
  readonly context: string;
  readonly style: 'success' | 'info' | 'warning' | 'error';
  /** Null: the build's; else the job's. */
  readonly jobId: string | null;
  readonly priority: number;
  readonly bodyHtml: string;
  readonly createdAt: number;
}

export interface SampleBuild {
  readonly organization: SampleOrganization;
  readonly pipeline: SamplePipeline;
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly blocked: boolean;
  readonly message: string;
  readonly commit: string;
  readonly branch: string;
  readonly tag: string | null;
  readonly source: string;
  readonly author: SamplePerson | null;
  readonly creator: SamplePerson | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly env: Readonly<Record<string, string>>;
  readonly metaData: Readonly<Record<string, string>>;
  readonly pullRequest: { readonly id: string; readonly base: string; readonly repository: string } | null;
  readonly rebuiltFrom: { readonly id: string; readonly number: number } | null;
  readonly jobs: readonly SampleJob[];
  readonly annotations: readonly SampleAnnotation[];
}

export function isScript(job: SampleJob): job is ScriptJob {
  return job.type === 'script';
}

/** A notification service of the kind `webhook`; changed by the API, and by who holds it. */
export interface StandInService {
  readonly id: string;
  description: string;
  enabled: boolean;
  scope: string;
  scope_uuids: string[];
  branch_configuration: string;
  settings: Record<string, unknown>;
}

/** Changed by who holds it, and by the API. */
export type StandInServices = StandInService[];
