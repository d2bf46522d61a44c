/** `kitemirror reconcile`: a comparison with Buildkite now, rather than when the workers' next one is due. */
import { createBuildList } from '../buildkite/build-list.ts';
import { nameMatcher } from '../globs.ts';
import { createHold, whileHolding } from '../queue/hold.ts';
import { type CompareParts, type Counts, compareStep, emptyCounts, lookBack, outcomes } from '../reconcile/compare.ts';
import { readReconcileState } from '../tree/reconcile-state.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openCatalogOrNone, openMirror, openRedis, openRest, openTasks, silent } from './parts.ts';
import { startProgress } from './progress.ts';
import { parseTime } from './times.ts';

export const reconcile: Command = {
  name: 'reconcile',
  summary: 'compares the tree with Buildkite now',
  usage: '[--since TIME] [--json]',
  options: { since: { type: 'string' } },
  help: `Asks Buildkite for the builds that finished since the last comparison and records what differs; running workers
fetch it. They do the same every KITEMIRROR_RECONCILE_SECONDS by themselves.
--since  look back to there: 2026-11-20, 2026-11-20T08:00Z, 36h, 14d
--json   {"since","mark","requests","builds":{"unchanged","unknown","changed","unsettled","excluded","dropped","unreadable"}}
exit 0: compared, what differs is recorded · 1: it broke off (run it again: it goes on where it was), or builds cannot be read
64: an argument that cannot be right · 130: Ctrl-C, likewise`,
  changes: () => true,
  run: runReconcile,
};

async function runReconcile(context: CommandContext): Promise<number> {
  const { values, io, signal } = context;
  const since = typeof values['since'] === 'string' ? parseTime(values['since'], '--since') : null;
  const { config } = context.settings();
  const redis = await openRedis(context, 'worker');
  const paths = openMirror(context);
  const parts = {
    paths,
    organization: config.organization,
    queue: await openTasks(context),
    catalog: openCatalogOrNone(context) ?? { known: () => new Map<string, never>() },
    list: createBuildList(openRest(context, redis, 'person')),
    rules: { includesPipeline: nameMatcher(config.pipelines), includesBranch: nameMatcher(config.branches) },
    log: silent,
  };
  // Workers that compare this moment are waited for.
  const { total, requests } = await whileHolding(createHold(redis), 'reconcile', signal, () =>
    compare(parts, since, context),
  );
  const mark = (await readReconcileState(paths))?.mark ?? null;
  if (values['json'] === true) sayJson(io, { since, mark, requests, builds: total });
  else io.say(told(total, requests));
  if (total.unreadable > 0) io.note('builds of the list that cannot be read may be missing here');
  return total.unreadable === 0 ? exit.ok : exit.fault;
}

async function compare(
  parts: CompareParts,
  since: string | null,
  { io, signal }: CommandContext,
): Promise<{ total: Counts; requests: number }> {
  if (since !== null) await lookBack(parts, since);
  const progress = startProgress(io, { unit: 'builds' });
  const total = emptyCounts();
  let requests = 0;
  for (let isComplete = false; !isComplete; ) {
    const onPage = (counts: Counts): void =>
      progress.at(sum(total) + sum(counts), null, `${differencesOf(counts)} differ`);
    const step = await compareStep({ ...parts, onPage }, signal);
    for (const outcome of outcomes) total[outcome] += step.counts[outcome];
    requests += step.requests;
    ({ isComplete } = step);
  }
  progress.end();
  return { total, requests };
}

function sum(counts: Counts): number {
  return outcomes.reduce((total, outcome) => total + counts[outcome], 0);
}

function differencesOf({ unknown, changed, unsettled }: Counts): number {
  return unknown + changed + unsettled;
}

function told(counts: Counts, requests: number): string {
  const parts = outcomes.filter((outcome) => counts[outcome] > 0).map((outcome) => `${counts[outcome]} ${outcome}`);
  const found = differencesOf(counts);
  const next =
    found === 0
      ? 'Nothing is missing.'
      : `${found} ${found === 1 ? 'build is' : 'builds are'} recorded as gaps and will be fetched.`;
  return `${sum(counts)} builds (${parts.join(', ') || 'none'}) in ${requests} requests. ${next}`;
}
