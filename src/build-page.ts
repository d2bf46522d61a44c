/** A build's page, put together from all that is known of it: the same by the worker, who writes it, and by the gateway before that. */
import type { RetentionRule } from './config/retention.ts';
import { readLogIndex } from './logs/index-file.ts';
import type { BuildRecord, BuildSummary, JobRecord, ViewEntry } from './model.ts';
import { renderBuild } from './pages/build.ts';
import { type DecisiveLine, describeJob } from './pages/details.ts';
import { isFailedJob } from './pages/parts.ts';
import type { DataPaths, Place } from './tree/paths.ts';
import { isPinned } from './tree/pins.ts';
import { outlookOf } from './tree/retention.ts';
import { readUpstreamView } from './tree/upstream-view.ts';

export interface BuildPageParts {
  readonly paths: DataPaths;
  /** The public base URL, for lines to copy. */
  readonly url: string;
  /** What of a build is removed when: for the page to tell. */
  readonly ruleFor: (build: BuildSummary) => RetentionRule;
}

export interface BuildOnPage {
  readonly place: Place;
  readonly build: BuildRecord;
  /** What the merged view shows. */
  readonly merged: readonly ViewEntry[];
  /** Of its jobs, by their ids. */
  readonly records: ReadonlyMap<string, JobRecord>;
  /** By job: see `failingLines`. */
  readonly failing: ReadonlyMap<string, readonly DecisiveLine[]>;
  /** Numbers of the builds before and behind it that are mirrored. */
  readonly beside: { readonly previous: number | null; readonly next: number | null };
}

export async function composeBuildPage(
  { paths, url, ruleFor }: BuildPageParts,
  { place, build, merged, records, failing, beside }: BuildOnPage,
): Promise<string> {
  return renderBuild({
    build,
    merged,
    ...beside,
    details: new Map(Array.from(records, ([id, record]) => [id, describeJob(record, failing.get(id))])),
    annotations: (await readUpstreamView(paths, place))?.annotations ?? [],
    folder: place.folder,
    url,
    outlook: outlookOf(build, ruleFor(build)),
    pinned: await isPinned(paths, build.id),
  });
}

const [jobsLookedAt, linesShown] = [20, 3];

/** What the logs of failed jobs say; the builds of which they do are published again when they are read. */
export async function failingLines(
  paths: DataPaths,
  place: Place,
  records: ReadonlyMap<string, JobRecord>,
): Promise<Map<string, DecisiveLine[]>> {
  const failed = [...records.values()].filter(
    (job) => !job.retried && isFailedJob(job) && job.log?.state === 'present',
  );
  const found = new Map<string, DecisiveLine[]>();
  for (const { id } of failed.slice(0, jobsLookedAt)) {
    const failure = (await readLogIndex(paths, place, id))?.failure;
    if (failure === undefined) continue;
    // What comes after the one to look at first mostly counts or repeats.
    const telling = failure.decisive.filter(({ line }) => failure.line === null || line <= failure.line);
    found.set(id, telling.slice(-linesShown));
  }
  return found;
}
