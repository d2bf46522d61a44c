/** What the tasks of a worker share; composed once by main.ts. */
import type { Links } from '../src/buildkite/bulk-links.ts';
import type { Upstream } from '../src/buildkite/client.ts';
import type { RetentionRule } from '../src/config/retention.ts';
import type { Matcher } from '../src/globs.ts';
import type { BuildSummary } from '../src/model.ts';
import type { TaskQueue } from '../src/queue/queue.ts';
import type { ReportReader } from '../src/reports/report-reader.ts';
import type { Catalog } from '../src/search/catalog.ts';
import type { Search } from '../src/search/search.ts';
import type { Storage } from '../src/storage/storage.ts';
import type { DataPaths } from '../src/tree/paths.ts';
import type { Lock } from '../src/tree/pipelines.ts';
import type { DamagedRecord } from '../src/tree/salvaged.ts';
import type { PageScript } from '../src/tree/scripts.ts';
import type { SealedValue } from '../src/tree/sealed-values.ts';
import type { Space } from '../src/tree/space.ts';
import type { Staging } from '../src/tree/staging.ts';
import type { Slots } from './slots.ts';

export interface Settings {
  readonly organization: string;
  readonly includesPipeline: Matcher;
  readonly includesBranch: Matcher;
  readonly includesArtifact: Matcher;
  readonly logs: boolean;
  readonly maxArtifactBytes: number | null;
  readonly unseenDays: number;
  /** The public base URL, for the curl lines on the pages. */
  readonly url: string;
  /** What of a build is removed when: for the pages to tell. */
  readonly ruleFor: (build: BuildSummary) => RetentionRule;
}

export interface WorkerContext {
  readonly paths: DataPaths;
  readonly settings: Settings;
  readonly upstream: Upstream;
  /** Where an artifact's link is to be had for less than a request. */
  readonly links: Links;
  /** Where artifacts' bytes come from; never sees the token. */
  readonly storage: Storage;
  readonly queue: TaskQueue;
  readonly catalog: Catalog;
  readonly search: Search;
  readonly reports: ReportReader;
  readonly lock: Lock;
  readonly space: Space;
  readonly staging: Staging;
  /** What the page of a log runs in a browser. */
  readonly logScript: PageScript;
  /** Downloads at once, over all tasks of this process. */
  readonly slots: Slots;
  readonly onArtifact: (outcome: string, bytes: number) => void;
  /** Whether an operator has had these bytes purged. */
  readonly isPurged: (sha256: string) => boolean;
  /** The values that an operator has had purged, the same array as long as they are the same. */
  readonly purgedValues: () => readonly SealedValue[];
  /** Bytes that new blobs took. */
  readonly onStored: (bytes: number) => void;
  /** A record could not be read, is kept aside, and is being made again. */
  readonly onDamaged: (of: DamagedRecord) => void;
  /** A job's files became visible so many seconds after the job had ended. */
  readonly onVisible: (seconds: number) => void;
}
