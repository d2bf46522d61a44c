/** Where `latest` and its kin lead: which builds may be under a name, and the greatest of them that qualifies. */
import type { SQLInputValue } from 'node:sqlite';
import type { BuildSummary } from '../model.ts';
import type { PointerKind, PointerState } from '../tree/paths.ts';
import type { Rows } from './catalog-rows.ts';

/** What a pointer points at changed: `number` null when no build qualifies any more. */
export interface PointerChange {
  readonly kind: PointerKind;
  readonly name: string;
  readonly state: PointerState;
  readonly number: number | null;
}

export const pointerStates: readonly PointerState[] = ['passed', 'failed', 'any'];

/** What of a build decides under which names it may be. */
export interface Named {
  readonly branch: string;
  readonly sha: string;
  readonly pull: string | null;
  readonly fork: number;
}

export interface Home {
  readonly organization: string;
  readonly folder: string;
}

interface Target {
  readonly kind: PointerKind;
  readonly name: string;
}

/** Where the pointers lead now that any of these builds may be under. */
export function pointersOf(rows: Rows, home: Home, builds: readonly Named[]): PointerChange[] {
  return builds
    .flatMap(targetsOfNamed)
    .flatMap((target) =>
      pointerStates.map((state) => ({ ...target, state, number: greatest(rows, home, target, state) })),
    );
}

function greatest(
  rows: Rows,
  { organization, folder }: Home,
  { kind, name }: Target,
  state: PointerState,
): number | null {
  const column = { latest: 'fork = 0 AND branch', commits: 'sha', pulls: 'pull' }[kind];
  const values: SQLInputValue[] = [organization, folder, name, ...(state === 'any' ? [] : [state])];
  // A commit has few builds, a state has many: the plus keeps SQLite from looking through those.
  const stateColumn = kind === 'latest' ? 'state' : '+state';
  const [row] = rows.all(
    `SELECT max(number) AS number FROM builds WHERE organization = ? AND folder = ? AND ${column} = ?
     ${state === 'any' ? '' : `AND ${stateColumn} = ?`} AND eligible = 1`,
    values,
  );
  return row?.['number'] === null || row === undefined ? null : Number(row['number']);
}

export function namedAs(summary: BuildSummary): Named {
  const pull = summary.pull_request;
  return { branch: summary.branch, sha: summary.commit, pull: pull?.id ?? null, fork: Number(pull?.fork ?? false) };
}

/** Under which names a build may be the latest. */
export function targetsOf(summary: BuildSummary): Target[] {
  return targetsOfNamed(namedAs(summary));
}

/** A fork's branch is not a branch of ours. */
function targetsOfNamed({ branch, sha, pull, fork }: Named): Target[] {
  return [
    ...(fork === 0 && branch !== '' ? [{ kind: 'latest' as const, name: branch }] : []),
    ...(sha === '' ? [] : [{ kind: 'commits' as const, name: sha }]),
    ...(pull === null ? [] : [{ kind: 'pulls' as const, name: pull }]),
  ];
}
