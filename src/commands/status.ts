/** `kitemirror status`: what runs, what waits, what is missing, and how long the disk lasts. */

import { formatDuration } from '../durations.ts';
import { toMirrorError } from '../errors.ts';
import { counted, formatBytes } from '../pages/format.ts';
import { openDesk } from '../queue/desk.ts';
import { type Disk, readDisk } from '../tree/free.ts';
import { createGapReader } from '../tree/gaps.ts';
import { readReconcileState } from '../tree/reconcile-state.ts';
import { damaged, orDamaged } from '../tree/records.ts';
import { listKept } from '../tree/salvaged.ts';
import { addressOf, readSweepHold, type SweepHold } from '../tree/sweep-hold.ts';
import { readWebhookState, type WebhookState } from '../tree/webhook-state.ts';
import { type Command, type CommandContext, exit, sayJson } from './command.ts';
import { openCatalogOrNone, openMirror, openRedis, openTasks } from './parts.ts';
import { lineOf } from './tasks.ts';

export const status: Command = {
  name: 'status',
  summary: 'what runs, what waits, what is missing, how long the disk lasts',
  usage: '[--json]',
  help: `Looks at the queues, the budgets, the gaps, the last comparison with Buildkite, the webhook and the disk. Asks Buildkite
nothing. /-/ledger has each gap with its reasons, kitemirror doctor looks for what is wrong and says the remedy.
--json: {"well","faults":[…],"running":[…],"queues":[…],"budgets":[…],"builds":{…},"gaps":{…},"reconcile":{…},"damaged_records":{…},"sweep":{…},"webhook":{…},"disk":{…}}
exit 0: all is well · 1: something is not: what, is printed (Redis away, failed tasks, no comparison for long, webhook, disk, a sweep
  that records which cannot be read hold)`,
  changes: () => false,
  run: runStatus,
};

const dayMs = 86_400_000;
const growthOverDays = 7;
/** The disk lasts less than this: an operator should know. */
const fewDays = 7;
/** So many intervals without a complete comparison are too many. */
const intervalsMissed = 3;

async function runStatus(context: CommandContext): Promise<number> {
  const facts = { ...(await queueFacts(context)), ...(await treeFacts(context)) };
  const faults = faultsOf(facts, context.settings().config.reconcileSeconds);
  const well = faults.length === 0;
  if (context.values['json'] === true) sayJson(context.io, { well, faults, ...facts });
  else for (const line of linesOf(facts, faults)) context.io.say(line);
  return well ? exit.ok : exit.fault;
}

/** Without Redis the rest is told all the same. */
async function queueFacts(context: CommandContext) {
  try {
    const queue = await openTasks(context);
    const desk = openDesk(await openRedis(context, 'producer'));
    const [running, queues, budgets] = [await desk.list(['active'], 50), await queue.counts(), await queue.budgets()];
    return { redis: null, running, queues, budgets };
  } catch (thrown) {
    return { redis: toMirrorError(thrown).message, running: [], queues: [], budgets: [] };
  }
}

async function treeFacts(context: CommandContext) {
  const paths = openMirror(context);
  const catalog = openCatalogOrNone(context);
  const { unsettled, oldestSince } = await createGapReader(paths)();
  const totals = catalog?.totals() ?? null;
  const state = await orDamaged(readReconcileState(paths));
  // A worker writes one that cannot be read anew.
  const reconciled = state === damaged ? null : state;
  const kept = await listKept(paths);
  const hold = await orDamaged(readSweepHold(paths));
  const disk = await readDisk(paths.root);
  const since = new Date(Date.now() - growthOverDays * dayMs).toISOString();
  const logical = totals?.logicalBytes ?? 0;
  const stored = logical === 0 ? 0 : (totals?.storedBytes ?? 0) / logical;
  const bytesADay = Math.round(((catalog?.bytesSince(since) ?? 0) / growthOverDays) * stored);
  return {
    builds: { mirrored: totals?.builds ?? 0, logical_bytes: logical, stored_bytes: totals?.storedBytes ?? 0 },
    gaps: {
      unsettled,
      oldest_since: oldestSince === null ? null : new Date(oldestSince).toISOString(),
      incomplete: totals?.incomplete ?? 0,
      lost: totals?.lost ?? 0,
    },
    reconcile: {
      mark: reconciled?.mark ?? null,
      completed_at: reconciled?.completed?.endedAt ?? null,
      comparing: reconciled !== null && reconciled.comparison !== null,
    },
    damaged_records: { kept: kept.length, latest_at: timeOf(kept.at(-1)?.foundAt) },
    sweep: sweepFacts(hold),
    webhook: webhookFacts(await readWebhookState(paths)),
    disk: { ...diskFacts(disk), bytes_a_day: bytesADay, days_until_full: daysLeft(disk.freeBytes, bytesADay) },
  };
}

function timeOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function sweepFacts(hold: SweepHold | typeof damaged | null) {
  // The list of them is made anew by a rebuild.
  if (hold === damaged) return { held_since: null, held_for: ['state/sweep-held.json'] };
  return { held_since: hold?.since ?? null, held_for: hold?.places.map(addressOf) ?? [] };
}

function webhookFacts(state: WebhookState | null) {
  return { healthy: state?.healthy ?? null, findings: state?.findings ?? [], checked_at: state?.checkedAt ?? null };
}

function diskFacts({ freeBytes, totalBytes, freeInodes, totalInodes }: Disk) {
  return { free_bytes: freeBytes, total_bytes: totalBytes, free_inodes: freeInodes, total_inodes: totalInodes };
}

/** null where nothing grew of late. */
function daysLeft(freeBytes: number, bytesADay: number): number | null {
  return bytesADay <= 0 ? null : Math.floor(freeBytes / bytesADay);
}

type Facts = Awaited<ReturnType<typeof queueFacts>> & Awaited<ReturnType<typeof treeFacts>>;

function faultsOf({ redis, queues, reconcile, sweep, webhook, disk }: Facts, reconcileSeconds: number): string[] {
  const failed = queues.reduce((sum, { state, count }) => sum + (state === 'failed' ? count : 0), 0);
  const { completed_at: at } = reconcile;
  const behindMs = at === null ? Number.POSITIVE_INFINITY : Date.now() - Date.parse(at);
  const isBehind = !reconcile.comparing && behindMs > Math.max(intervalsMissed * reconcileSeconds, 60) * 1000;
  const all: [boolean, string][] = [
    [redis !== null, redis ?? ''],
    [failed > 0, `${counted(failed, 'task')} failed for good: kitemirror tasks list --state failed`],
    [
      isBehind,
      at === null
        ? 'never compared with Buildkite: does a worker run?'
        : `not compared with Buildkite for ${formatDuration(behindMs)}: does a worker run?`,
    ],
    [
      sweep.held_for.length > 0,
      `nothing is swept until the records of ${told(sweep.held_for)} are whole: restore those that cannot be read, or remove what is damaged`,
    ],
    [webhook.healthy === false, `${webhook.findings.join('; ')}: kitemirror webhook repair`],
    [
      disk.days_until_full !== null && disk.days_until_full < fewDays,
      `the disk is full in ${disk.days_until_full} days`,
    ],
  ];
  return all.filter(([isWrong]) => isWrong).map(([, fault]) => fault);
}

const mostTold = 3;

function told(places: readonly string[]): string {
  const more = places.length - mostTold;
  return `${places.slice(0, mostTold).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function linesOf(facts: Facts, faults: readonly string[]): string[] {
  const { running, queues, budgets, builds, gaps, reconcile, webhook, disk } = facts;
  const damagedRecords = facts.damaged_records;
  const waiting = queues
    .filter(({ count }) => count > 0)
    .map(({ queue, state, count }) => `${count} ${state} (${queue})`);
  const oldest =
    gaps.oldest_since === null ? '' : `, the oldest for ${formatDuration(Date.now() - Date.parse(gaps.oldest_since))}`;
  const sums = `${formatBytes(builds.logical_bytes)}, stored in ${formatBytes(builds.stored_bytes)}`;
  const lasts =
    disk.days_until_full === null
      ? ''
      : `, full in about ${disk.days_until_full} days at ${formatBytes(disk.bytes_a_day)} a day`;
  return [
    ['runs', running.length === 0 ? 'nothing this moment' : counted(running.length, 'task')],
    ...running.map((task) => ['', lineOf(task)]),
    ['queues', waiting.join(', ') || 'empty'],
    [
      'budgets',
      budgets.map(({ api, scope, remaining }) => `${remaining} ${api} (${scope})`).join(', ') || 'no request yet',
    ],
    ['builds', `${counted(builds.mirrored, 'build')}, ${sums}`],
    ['gaps', `${gaps.unsettled} unsettled${oldest}, ${gaps.incomplete} incomplete, ${counted(gaps.lost, 'file')} lost`],
    ...(damagedRecords.kept === 0
      ? []
      : [
          [
            'records',
            `${counted(damagedRecords.kept, 'damaged one')} kept in quarantine/records, the latest of ${damagedRecords.latest_at}: look at the disk`,
          ],
        ]),
    ['compared', reconcile.comparing ? 'this moment' : (reconcile.completed_at ?? 'never')],
    [
      'webhook',
      webhook.healthy === null
        ? 'not known (kitemirror webhook check)'
        : webhook.healthy
          ? 'as it should be'
          : 'not as it should be',
    ],
    ['disk', `${formatBytes(disk.free_bytes)} of ${formatBytes(disk.total_bytes)} free${inodesText(disk)}${lasts}`],
    ...faults.map((fault) => ['wrong', fault]),
  ].map(([name = '', text = '']) => `${name.padEnd(9)} ${text}`);
}

/** Empty where the file system does not count them. */
function inodesText({ free_inodes: free, total_inodes: total }: Facts['disk']): string {
  return total === 0 ? '' : `, ${Math.round((free / total) * 100)} % of the inodes free`;
}
