/** `kitemirror retention`: what the policy removes, shown beforehand or done now. */
import { setTimeout as sleep } from 'node:timers/promises';
import { comparePolicies, type PolicyDifference, type PolicyWords, wordsOfPolicy } from '../config/retention.ts';
import { formatBytes } from '../pages/format.ts';
import { judgeBuilds } from '../search/candidates.ts';
import { type MovedPointer, movedPointers } from '../search/moved-pointers.ts';
import { type Freed, measureFreed, type Removal } from '../tree/freed.ts';
import type { DataPaths } from '../tree/paths.ts';
import { policiesInForce } from '../tree/policies.ts';
import type { Drop, DropResult, Kept } from '../tree/retention.ts';
import { awaitTask } from './await-task.ts';
import { type Command, type CommandContext, exit, type Io, sayJson } from './command.ts';
import { openBuilds, openMirror } from './parts.ts';
import { startProgress } from './progress.ts';

export const retention: Command = {
  name: 'retention',
  summary: 'what the retention policy removes, before or now',
  usage: '[--dry-run] [--json]',
  help: `Applies the policy of KITEMIRROR_RETENTION_… now, by a worker, and waits for its end. It is applied by itself too, every
KITEMIRROR_RETENTION_SECONDS. Pinned, unsettled and latest builds are kept and told of.
Workers read the file of rules anew when it changes, other settings at their start. Where this command finds another policy than the
workers that run go by, it says what differs and nothing is removed; what they remove by themselves, they remove by theirs.
--dry-run: removes nothing and says what would go and why, the bytes that would be freed (what other builds show too stays),
  and which latest, commit and pull request links would lead elsewhere; by the policy that this command finds, in force or not
No limit of age applies while the clock is far beyond the last complete comparison with Buildkite: it may be wrong.
--json: {"dry_run":true,"drops":[…],"kept":[…],"ages_wait":null,"unreadable":[…],"artifacts":0,"logs":0,"bytes":0,"freed_bytes":0,"pointers":[…],
  "differs":[{"setting":"…","here":"30d","worker":"2y"}]}; without --dry-run {"dry_run":false,"builds":0,"ages_wait":null,
  "kept":{"pinned":1,"latest":2},"unreadable":[{"pipeline":"…","number":1,"build":"…"}],"differs":[]}
exit 0: done · 1: no worker did it, or some records cannot be read · 78: nothing is removed: a worker goes by another\npolicy; restart it`,
  options: { 'dry-run': { type: 'boolean', default: false } },
  changes: ({ values }) => values['dry-run'] !== true,
  run: async (context: CommandContext) => {
    const own = wordsOfPolicy(context.settings().config.retention);
    const differs = await otherPolicies(openMirror(context), own, context.signal);
    if (context.values['dry-run'] === true) return simulate(context, differs);
    if (differs.length > 0) return end(context, { ...nothing, refused: differs });
    const { result } = await awaitTask(context, { name: 'drop', payload: { policy: own } }, 'builds');
    const done = result as DropResult;
    // What was waiting already was not asked for by any policy.
    const other = done.refused ?? comparePolicies(own, done.policy);
    return end(context, { ...done, refused: other });
  },
};

/** A worker that was told of other rules takes a second or two to go by them. */
const agreesWithinMs = 5000;
const lookEveryMs = 200;

/** @returns what is different with workers that run; each difference once */
async function otherPolicies(paths: DataPaths, own: PolicyWords, signal: AbortSignal): Promise<PolicyDifference[]> {
  const until = performance.now() + agreesWithinMs;
  for (;;) {
    const all = policiesInForce(paths).flatMap(({ policy }) => comparePolicies(own, policy));
    if (all.length === 0 || performance.now() > until)
      return [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
    await sleep(lookEveryMs, undefined, { signal });
  }
}

type Ended = Pick<DropResult, 'builds' | 'ages_wait' | 'kept' | 'unreadable'> & {
  readonly refused: readonly PolicyDifference[];
};
const nothing = { builds: 0, ages_wait: null, kept: {}, unreadable: [] };

function end({ io, values }: CommandContext, { refused: differs, ...done }: Ended): number {
  const { builds, ages_wait: agesWait, kept, unreadable } = done;
  if (values['json'] === true) sayJson(io, { dry_run: false, builds, ages_wait: agesWait, kept, unreadable, differs });
  else {
    if (builds > 0) io.say(`removed from ${builds} builds; their bytes go with the next sweep`);
    else if (differs.length === 0) io.say('the policy removes nothing now');
    for (const [because, count] of Object.entries(kept))
      io.say(`kept, ${because}: ${count} builds that it would remove`);
    for (const { pipeline, number } of unreadable)
      io.say(`${pipeline} #${number}  kept: a record of it cannot be read`);
    tellOfWait(io, agesWait);
  }
  tellOfOthers(io, differs);
  if (differs.length > 0) return exit.operator;
  return unreadable.length === 0 ? exit.ok : exit.fault;
}

/** On stderr. */
function tellOfOthers(io: Io, differs: readonly PolicyDifference[]): void {
  for (const { setting, here, worker } of differs)
    io.note(`kitemirror retention: a worker goes by another policy: ${setting} is ${here} here and ${worker} there`);
  if (differs.length === 0) return;
  io.note(
    'kitemirror retention: workers read KITEMIRROR_RETENTION_… at their start: restart them, or set the same here',
  );
}

async function simulate(context: CommandContext, differs: readonly PolicyDifference[]): Promise<number> {
  const { io, values, settings } = context;
  const paths = openMirror(context);
  const catalog = openBuilds(context);
  const { retention: policy, reconcileSeconds } = settings().config;
  const options = { policy, compareEveryMs: reconcileSeconds * 1000, now: Date.now() };
  const { candidates, drops, kept, agesWait } = await judgeBuilds(paths, catalog, options, context.signal);
  const unreadable: Removal[] = [];
  const progress = startProgress(io, { unit: 'builds' });
  const freed = await measureFreed(paths, drops.map(removalOf), {
    onUnreadable: (removal) => unreadable.push(removal),
    onProgress: (done) => progress.at(done, drops.length),
  });
  progress.end();
  const cannot = new Set(unreadable.map(({ build }) => build));
  const going = drops.filter(({ candidate }) => !cannot.has(candidate.summary.id));
  const whole = new Set(
    going.flatMap(({ candidate, parts }) => (parts.includes('build') ? [candidate.summary.id] : [])),
  );
  const pointers = movedPointers(candidates, whole);
  const findings = { drops: going, kept, agesWait, unreadable, freed, pointers, differs };
  if (values['json'] === true) sayJson(io, jsonOf(findings));
  else tell(io, findings);
  // To try a policy that is not in force yet is what a dry run is for.
  tellOfOthers(io, differs);
  return unreadable.length === 0 ? exit.ok : exit.fault;
}

function removalOf({ candidate: { folder, summary }, parts }: Drop): Removal {
  return { place: { organization: summary.organization, folder, number: summary.number }, build: summary.id, parts };
}

interface Findings {
  readonly drops: readonly Drop[];
  readonly kept: readonly Kept[];
  readonly agesWait: string | null;
  readonly unreadable: readonly Removal[];
  readonly freed: Freed;
  readonly pointers: readonly MovedPointer[];
  readonly differs: readonly PolicyDifference[];
}

function jsonOf({ drops, kept, agesWait, unreadable, freed, pointers, differs }: Findings): unknown {
  const { artifacts, logs, bytes, freedBytes } = freed;
  return {
    dry_run: true,
    drops: drops.map(dropJson),
    kept: kept.map(({ because, drop }) => ({ ...dropJson(drop), because })),
    ages_wait: agesWait,
    unreadable: unreadable.map(({ place, build }) => ({ pipeline: place.folder, number: place.number, build })),
    artifacts,
    logs,
    bytes,
    freed_bytes: freedBytes,
    pointers,
    differs,
  };
}

function dropJson({ candidate: { summary }, parts, reason, text }: Drop) {
  const { pipeline, number, id: build, branch, state, finished_at, bytes } = summary;
  return { pipeline, number, build, branch, state, finished_at, bytes, parts, reason, text };
}

function tell(io: Io, { drops, kept, agesWait, unreadable, freed, pointers }: Findings): void {
  for (const { candidate, parts, text } of drops) io.say(`${nameOf(candidate)}  ${parts.join(', ')}: ${text}`);
  for (const { candidate, because, drop } of kept) io.say(`${nameOf(candidate)}  kept, ${because}: ${drop.text}`);
  for (const { place } of unreadable) io.say(`${place.folder} #${place.number}  kept: a record of it cannot be read`);
  for (const { folder, kind, name, state, from, to } of pointers) {
    io.say(
      `${folder}/${kind}/${name}?state=${state}  leads to #${from} now, then ${to === null ? 'nowhere' : `to #${to}`}`,
    );
  }
  const { artifacts, logs, bytes, freedBytes } = freed;
  io.say(
    `would remove of ${drops.length} builds ${artifacts} artifacts and ${logs} logs, ${formatBytes(bytes)}, and free ${formatBytes(freedBytes)}`,
  );
  tellOfWait(io, agesWait);
}

function tellOfWait(io: Io, agesWait: string | null): void {
  if (agesWait !== null) io.say(`no limit of age applies: ${agesWait}`);
}

function nameOf({ summary }: Drop['candidate']): string {
  return `${summary.pipeline} #${summary.number} (${summary.branch}, ${summary.state})`;
}
