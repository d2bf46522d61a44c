/** `kitemirror backfill`: builds from before the mirror, fetched on request and at the lowest priority. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createBuildList, type ListedBuild } from '../buildkite/build-list.ts';
import { createUpstream, type Upstream } from '../buildkite/client.ts';
import { formatDuration } from '../durations.ts';
import { MirrorError } from '../errors.ts';
import { nameMatcher } from '../globs.ts';
import { counted, formatBytes } from '../pages/format.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { type BackfillRange, backfill as walk } from '../reconcile/backfill.ts';
import { listOpenGaps } from '../tree/unsettled.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openCatalogOrNone, openMirror, openPaths, openRedis, openRest, openTasks } from './parts.ts';
import { startProgress } from './progress.ts';
import { parseTime } from './times.ts';

const several = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean', default: false } as const;

export const backfill: Command = {
  name: 'backfill',
  summary: 'mirrors builds from before the mirror was there',
  usage:
    '[--since TIME] [--until TIME] [--pipeline SLUG]… [--branch NAME]… [--state STATE]… [--again] [--dry-run] [--no-wait] [--json]',
  options: {
    since: { type: 'string' },
    until: { type: 'string' },
    pipeline: several,
    branch: several,
    state: several,
    again: flag,
    'dry-run': flag,
    'no-wait': flag,
  },
  help: `Lists the builds that finished in a range, records those that are not mirrored, and follows the workers while they fetch
them, after all work that is newer. Broken off, it goes on where it was when it is run again with the same options within a week.
--since, --until  2026-11-20, 2026-11-20T08:00Z, 36h, 14d; without: all that Buildkite has
--pipeline, --branch, --state  only these; each may be given several times; a branch may hold *
--again    builds that are mirrored, too: compares their files anew, and notes what Buildkite has deleted since
--dry-run  records nothing: says how many builds, requests and bytes it would be, from a sample of them
--no-wait  ends when all is recorded
--json     {"listed","lacking","fetched"}; with --dry-run {"listed","lacking","sampled","requests","bytes","seconds"}
exit 0: done · 1: some builds are still unsettled when no more comes in, or cannot be read
64: an argument that cannot be right · 130: Ctrl-C; workers go on with what is recorded`,
  changes: ({ values }) => values['dry-run'] !== true,
  run: runBackfill,
};

async function runBackfill(context: CommandContext): Promise<number> {
  const { values, io, signal } = context;
  const range = rangeOf(context);
  const isDry = values['dry-run'] === true;
  const { config } = context.settings();
  const rest = openRest(context, await openRedis(context, 'worker'), 'bulk');
  const queue = await openTasks(context);
  const parts = {
    paths: isDry ? openPaths(context) : openMirror(context),
    organization: config.organization,
    queue,
    catalog: openCatalogOrNone(context) ?? { known: () => new Map<string, never>() },
    list: createBuildList(rest),
    rules: { includesPipeline: nameMatcher(config.pipelines), includesBranch: nameMatcher(config.branches) },
  };
  const progress = startProgress(io, { unit: 'builds listed' });
  const lacking: ListedBuild[] = [];
  let [listed, unreadable] = [0, 0];
  let isFirst = true;
  for await (const page of walk(parts, range, isDry, signal)) {
    if (isFirst && page.goesOnFrom !== null)
      io.note(
        `Goes on with the run of ${page.goesOnFrom}, which was broken off; what has finished since comes at its end.`,
      );
    isFirst = false;
    listed += page.listed;
    unreadable += page.unreadable;
    lacking.push(...page.lacking);
    progress.at(listed, null, `${lacking.length} to be mirrored`);
  }
  progress.end();
  if (unreadable > 0) io.note(`${counted(unreadable, 'build')} of the list cannot be read, and may be missing here`);
  if (isDry) return tellCost(context, createUpstream(rest), lacking, listed);
  const fetched = values['no-wait'] === true ? 0 : await follow(context, queue, lacking);
  if (values['json'] === true) sayJson(io, { listed, lacking: lacking.length, fetched });
  else io.say(`${counted(listed, 'build')} listed, ${lacking.length} recorded, ${fetched} of them fetched by now.`);
  const isDone = values['no-wait'] === true || fetched === lacking.length;
  return isDone && unreadable === 0 ? exit.ok : exit.fault;
}

/** As Buildkite's list takes them; builds in another state have not finished. */
const finishedStates: ReadonlySet<string> = new Set([
  'passed',
  'failed',
  'blocked',
  'canceled',
  'skipped',
  'not_run',
  'finished',
]);

function rangeOf({ values }: CommandContext): BackfillRange {
  const time = (name: string): string | null =>
    typeof values[name] === 'string' ? parseTime(values[name], `--${name}`) : null;
  const asked = ['since', 'until'].map((name) => (typeof values[name] === 'string' ? values[name] : null));
  const list = (name: string): string[] => (Array.isArray(values[name]) ? values[name].map(String) : []);
  const [since, until, states] = [time('since'), time('until'), list('state')];
  if (since !== null && until !== null && since >= until)
    throw new MirrorError(
      'ERR_REQUEST_MALFORMED',
      `--since (${since}) is not before --until (${until}): no build is in between`,
    );
  const unknown = states.find((state) => !finishedStates.has(state));
  if (unknown !== undefined)
    throw new MirrorError(
      'ERR_REQUEST_MALFORMED',
      `--state is "${unknown}", not one of ${[...finishedStates].join(', ')}`,
    );
  return {
    asked,
    since,
    until,
    pipelines: list('pipeline'),
    branches: list('branch'),
    states,
    again: values['again'] === true,
  };
}

const lookEveryMs = 2000;
/** Workers that do nothing for so long are not followed any further. */
const patienceMs = 30 * 60_000;

/** @returns how many of the builds are settled in the end */
async function follow(context: CommandContext, queue: TaskQueue, lacking: readonly ListedBuild[]): Promise<number> {
  const { io, signal } = context;
  const paths = openPaths(context);
  const progress = startProgress(io, { unit: 'builds' });
  let done = -1;
  for (let since = performance.now(); performance.now() - since < patienceMs; ) {
    const open = new Set(await listOpenGaps(paths));
    const now = lacking.filter(({ id }) => !open.has(id)).length;
    if (now > done) [done, since] = [now, performance.now()];
    progress.at(done, lacking.length, await budgetLeft(queue));
    if (done === lacking.length) break;
    await sleep(lookEveryMs, undefined, { signal });
  }
  progress.end();
  return done;
}

async function budgetLeft(queue: TaskQueue): Promise<string> {
  const budgets = await queue.budgets();
  const left = budgets.filter(({ api }) => api === 'rest').map(({ remaining }) => remaining);
  return left.length === 0 ? '' : `${Math.min(...left)} requests left this minute`;
}

const sampledAtMost = 10;
/** What a build costs beside its files: itself and its annotations. */
const requestsABuild = 2;
const filesAPage = 100;
const usualRequestsAMinute = 50;

/** From some of the builds, evenly spread: what all of them cost where each file is a request. */
async function tellCost(
  { io, values, settings, signal }: CommandContext,
  upstream: Upstream,
  lacking: readonly ListedBuild[],
  listed: number,
): Promise<number> {
  const step = Math.max(1, Math.ceil(lacking.length / sampledAtMost));
  const sample = lacking.filter((_, index) => index % step === 0);
  let [requests, bytes] = [0, 0];
  for (const build of sample) {
    const ref = {
      organization: settings().config.organization,
      pipeline: build.pipeline,
      number: build.number,
      build: build.id,
    };
    const { jobs } = await upstream.readBuild(ref, signal);
    const logs = settings().config.logs
      ? jobs.filter((job) => job.type === 'script' && job.started_at !== null).length
      : 0;
    let files = 0;
    for await (const { items } of upstream.listArtifacts(ref, null, signal)) {
      files += items.length;
      bytes += items.reduce((sum, { size }) => sum + size, 0);
    }
    requests += requestsABuild + Math.max(1, Math.ceil(files / filesAPage)) + files + logs;
  }
  const scale = sample.length === 0 ? 0 : lacking.length / sample.length;
  const cost = { requests: Math.round(requests * scale), bytes: Math.round(bytes * scale) };
  const seconds = Math.round((cost.requests / (usualRequestsAMinute * settings().config.apiShare)) * 60);
  if (values['json'] === true)
    sayJson(io, { listed, lacking: lacking.length, sampled: sample.length, ...cost, seconds });
  else {
    io.say(`${counted(listed, 'build')} listed, ${lacking.length} not mirrored.`);
    io.say(
      `About ${counted(cost.requests, 'request')} and ${formatBytes(cost.bytes)}, by a sample of ${sample.length}; at`,
    );
    io.say(
      `Buildkite's usual limit that is ${formatDuration(seconds * 1000)}, less where links are had in bulk. Nothing was recorded.`,
    );
  }
  return exit.ok;
}
