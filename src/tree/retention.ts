/**
 * Which builds a policy removes what of. Pure: the same builds, policy and time give the same answer, and each verdict has
 * its reason. In doubt a build is kept.
 */
import {
  formatAge,
  type Limits,
  type PolicyDifference,
  type PolicyWords,
  type RetentionPolicy,
  type RetentionRule,
} from '../config/retention.ts';
import { type Matcher, nameMatcher } from '../globs.ts';
import { type BuildSummary, isEligible } from '../model.ts';

/** `build` is all of it, its records too. */
export type Part = 'artifacts' | 'logs' | 'build';
export type DropReason = 'age' | 'count' | 'bytes';
export type KeepReason = 'pinned' | 'latest' | 'unsettled' | 'undated';

export interface Candidate {
  /** The pipeline's folder. */
  readonly folder: string;
  readonly summary: BuildSummary;
  readonly pinned: boolean;
  /** Something of it is pending, failed, or being worked on. */
  readonly unsettled: boolean;
}

export interface Drop {
  readonly candidate: Candidate;
  /** `build` stands alone. */
  readonly parts: readonly Part[];
  readonly reason: DropReason;
  /** For records and people: which limit, of which rule. */
  readonly text: string;
}

export interface Kept {
  readonly candidate: Candidate;
  readonly because: KeepReason;
  /** What the policy would have done. */
  readonly drop: Drop;
}

export interface Selection {
  readonly drops: readonly Drop[];
  /** What a limit would remove and a rule of safety keeps. */
  readonly kept: readonly Kept[];
}

/** What the mark of a run that removed tells. */
export interface DropResult {
  /** Something of so many was removed. */
  readonly builds: number;
  /** Why no limit of age applied; null: they did. */
  readonly ages_wait: string | null;
  /** Builds that the policy would remove, by what kept them: a `KeepReason`, or what was found right before. */
  readonly kept: Readonly<Record<string, number>>;
  /** Kept because a record of theirs cannot be read. */
  readonly unreadable: readonly { readonly pipeline: string; readonly number: number; readonly build: string }[];
  /** By which it was applied. */
  readonly policy: PolicyWords;
  /** Where it was asked for by another policy, or that changed meanwhile: what differs, and it was not (all) applied; null: it was. */
  readonly refused: readonly PolicyDifference[] | null;
}

interface Ruled {
  readonly candidate: Candidate;
  readonly rule: RetentionRule;
  /** From 0, the newest, among those of its branch that the same rule decides about. */
  readonly rank: number;
  readonly isLatest: boolean;
}

export interface SelectOptions {
  /** ms since 1970; null: nobody knows for sure, and no limit of age applies. */
  readonly now: number | null;
  /** What blobs take on the disk now. */
  readonly storedBytes: number;
}

/** @param candidates every build that is known; without one of them another may pass for the latest */
export function selectDrops(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  { now, storedBytes }: SelectOptions,
): Selection {
  const ruled = applyRules(candidates, policy);
  const wanted = ruled.flatMap((each) => limited(each, now) ?? []);
  const all = [...wanted, ...overBytes(ruled, wanted, policy, storedBytes)];
  const keeps = new Map(ruled.map((each) => [each.candidate, keepReason(each)]));
  const drops: Drop[] = [];
  const kept: Kept[] = [];
  for (const drop of all) {
    const because = keeps.get(drop.candidate) ?? null;
    if (because === null) drops.push(drop);
    else kept.push({ candidate: drop.candidate, because, drop });
  }
  return { drops, kept };
}

/** The rule that decides about a build: the last that fits. */
export function ruleFor(policy: RetentionPolicy): (build: BuildSummary) => RetentionRule {
  const compiled = policy.rules.map((rule) => ({
    rule,
    pipelines: nameMatcher(rule.pipelines),
    branches: nameMatcher(rule.branches),
  }));
  const fits = (
    { rule, pipelines, branches }: { rule: RetentionRule; pipelines: Matcher; branches: Matcher },
    build: BuildSummary,
  ) =>
    pipelines(build.pipeline) && branches(build.branch) && (rule.states === null || rule.states.includes(build.state));
  return (build) => {
    const found = compiled.findLast((each) => fits(each, build))?.rule ?? policy.rules[0];
    if (found === undefined) throw new Error('a policy has at least the rule of the settings');
    return found;
  };
}

/** The same where the policy may be another from one time to the next. */
export function ruleNow(policy: () => RetentionPolicy): (build: BuildSummary) => RetentionRule {
  let compiled: { readonly by: RetentionPolicy; readonly decide: ReturnType<typeof ruleFor> } | null = null;
  return (build) => {
    const by = policy();
    if (compiled?.by !== by) compiled = { by, decide: ruleFor(by) };
    return compiled.decide(build);
  };
}

function applyRules(candidates: readonly Candidate[], policy: RetentionPolicy): Ruled[] {
  const decide = ruleFor(policy);
  const branches = Map.groupBy(candidates, ({ folder, summary }) => `${folder}\n${branchOf(summary)}`);
  return [...branches.values()].flatMap((builds) => {
    const ranks = new Map<RetentionRule, number>();
    const latest = latestOf(builds);
    return builds
      .toSorted((left, right) => right.summary.number - left.summary.number)
      .map((candidate) => {
        const rule = decide(candidate.summary);
        const rank = ranks.get(rule) ?? 0;
        ranks.set(rule, rank + 1);
        return { candidate, rule, rank, isLatest: latest(candidate, rule.keepLatest) };
      });
  });
}

/** A fork's branch is not a branch of ours, whatever its name. */
function branchOf({ branch, pull_request: pull }: BuildSummary): string {
  return pull?.fork === true ? `fork\n${branch}` : branch;
}

/** Whether a build is one of the `keep` latest that passed, or what `latest?state=any` or `failed` lead to. */
function latestOf(builds: readonly Candidate[]): (candidate: Candidate, keep: number) => boolean {
  const ordered = builds
    .filter(({ summary }) => isEligible(summary))
    .toSorted((left, right) => right.summary.number - left.summary.number);
  const passed = ordered.filter(({ summary }) => summary.state === 'passed');
  const others = [ordered[0], ordered.find(({ summary }) => summary.state === 'failed')];
  const place = new Map(passed.map((candidate, index) => [candidate, index]));
  return (candidate, keep) => keep > 0 && ((place.get(candidate) ?? keep) < keep || others.includes(candidate));
}

function keepReason({ candidate, isLatest }: Ruled): KeepReason | null {
  if (candidate.pinned) return 'pinned';
  if (candidate.unsettled || !candidate.summary.settled) return 'unsettled';
  if (endOf(candidate.summary) === null) return 'undated';
  return isLatest ? 'latest' : null;
}

/** @returns ms since 1970; null where upstream has not said when it ended */
function endOf({ finished_at: end }: BuildSummary): number | null {
  const at = end === null ? Number.NaN : Date.parse(end);
  return Number.isNaN(at) ? null : at;
}

function limited(ruled: Ruled, now: SelectOptions['now']): Drop | null {
  const { candidate, rule } = ruled;
  const build = exceeded(ruled, rule.builds, now);
  if (build !== null) return { candidate, parts: ['build'], ...worded(rule, 'builds', build) };
  const parts: Part[] = [];
  let first: Pick<Drop, 'reason' | 'text'> | null = null;
  for (const part of ['artifacts', 'logs'] as const) {
    const reason = holds(candidate.summary, part) ? exceeded(ruled, rule[part], now) : null;
    if (reason === null) continue;
    parts.push(part);
    first ??= worded(rule, part, reason);
  }
  return first === null ? null : { candidate, parts, ...first };
}

function exceeded(
  { candidate, rank }: Ruled,
  { ageMs, count }: Limits,
  now: SelectOptions['now'],
): 'age' | 'count' | null {
  const end = endOf(candidate.summary);
  // Without an end it has no age; it is told of as kept where a count would remove it.
  if (ageMs !== null && end !== null && now !== null && now - end > ageMs) return 'age';
  return count !== null && rank >= count ? 'count' : null;
}

function worded(
  rule: RetentionRule,
  part: 'artifacts' | 'logs' | 'builds',
  reason: 'age' | 'count',
): Pick<Drop, 'reason' | 'text'> {
  const { ageMs, count } = rule[part];
  const limit =
    reason === 'age' ? `older than ${formatAge(ageMs ?? 0)}` : `not among the newest ${count} of its branch`;
  return { reason, text: `${limit} (${rule.name}, ${part})` };
}

/** Records that do not tell what they hold may hold anything. */
function holds({ stored, present }: BuildSummary, part: 'artifacts' | 'logs'): boolean {
  return stored === undefined ? present > 0 : stored[part] > 0;
}

/**
 * The oldest go until what is over is gone. Bytes count as a reader sees them, so that content that builds share is
 * counted too often and too little goes rather than too much; the next run looks again.
 */
function overBytes(
  ruled: readonly Ruled[],
  wanted: readonly Drop[],
  { maxBytes }: RetentionPolicy,
  storedBytes: number,
): Drop[] {
  if (maxBytes === null) return [];
  const bytesOf = (summary: BuildSummary): number => summary.stored?.artifact_bytes ?? summary.bytes;
  const gone = new Set(wanted.map(({ candidate }) => candidate));
  const isKept = new Map(ruled.map((each) => [each.candidate, keepReason(each) !== null]));
  const removed = [...gone].filter((candidate) => isKept.get(candidate) !== true);
  let over = storedBytes - maxBytes - removed.reduce((sum, { summary }) => sum + bytesOf(summary), 0);
  const drops: Drop[] = [];
  const byAge = ruled.toSorted((a, b) => (endOf(a.candidate.summary) ?? 0) - (endOf(b.candidate.summary) ?? 0));
  for (const { candidate } of byAge) {
    if (over <= 0) break;
    if (gone.has(candidate) || !holds(candidate.summary, 'artifacts')) continue;
    drops.push({
      candidate,
      parts: ['artifacts'],
      reason: 'bytes',
      text: 'the oldest, over KITEMIRROR_RETENTION_BYTES',
    });
    if (isKept.get(candidate) !== true) over -= bytesOf(candidate.summary);
  }
  return drops;
}

/** What a reader is told beforehand. It stays true whatever other builds come: no page must be written again for it. */
export interface Outlook {
  /** What goes first. */
  readonly part: Part;
  /** ISO 8601: not before this; null: no limit of age applies. */
  readonly until: string | null;
  /** It goes sooner when it is not among so many newest of its branch; null: no such limit. */
  readonly newest: number | null;
  /** It stays longer while it is among so many latest that passed; 0: no. */
  readonly keepLatest: number;
}

/**
 * When a build loses what first. Limits of size depend on all builds and are not told.
 * @param rule of `ruleFor` · @returns null where no limit applies, or upstream has not said when it ended
 */
export function outlookOf(build: BuildSummary, rule: RetentionRule): Outlook | null {
  const end = endOf(build);
  if (end === null) return null;
  const limits: [Part, Limits][] = [['build', rule.builds]];
  for (const part of ['logs', 'artifacts'] as const) if (holds(build, part)) limits.unshift([part, rule[part]]);
  const limited = limits.filter(([, { ageMs, count }]) => ageMs !== null || count !== null);
  const [first] = limited.toSorted(([, left], [, right]) => (left.ageMs ?? Infinity) - (right.ageMs ?? Infinity));
  if (first === undefined) return null;
  const [part, { ageMs, count }] = first;
  return {
    part,
    until: ageMs === null ? null : new Date(end + ageMs).toISOString(),
    newest: count,
    keepLatest: isEligible(build) ? rule.keepLatest : 0,
  };
}
