/**
 * Groups of lines as Buildkite folds them: a line that begins with `--- `, `+++ ` or `~~~ ` heads what follows until the next
 * one; `^^^ +++` alone in a line opens the group that it is in; where no group is open by itself the last `---` is.
 * Pure, and shared with the browser.
 * @see https://buildkite.com/docs/pipelines/configure/managing-log-output
 */
import { detached } from '../pens/detached.ts';
import type { Run } from './row.ts';

/** `---` folded, `+++` open, `~~~` folded and quiet. */
export type GroupKind = '-' | '+' | '~';

export interface Group {
  /** Of its header, from 1. */
  readonly line: number;
  readonly kind: GroupKind;
  readonly open: boolean;
  /** When the header was printed, ms since 1970. */
  readonly time: number | null;
  readonly title: string;
}

const longestTitle = 120;

/** The header must begin its line and be plain: what a diff prints in colour (`--- a/file`) is none. */
export function groupKindOf([first]: readonly Run[]): GroupKind | null {
  if (first === undefined || first.pen.styles !== 0 || first.pen.foreground !== -1 || first.pen.link !== null)
    return null;
  const { text } = first;
  const sign = text.charCodeAt(0);
  if (sign !== 0x2d && sign !== 0x2b && sign !== 0x7e) return null;
  if (text.startsWith('--- ')) return '-';
  if (text.startsWith('+++ ')) return '+';
  return text.startsWith('~~~ ') ? '~' : null;
}

export function opensItsGroup(runs: readonly Run[]): boolean {
  const [first] = runs;
  return (
    first !== undefined && first.text.startsWith('^^^ +++') && runs.length === 1 && first.text.trimEnd() === '^^^ +++'
  );
}

/** Gathers a log's groups line by line; bounded: of more than so many the rest are lines like others. */
export class GroupList {
  readonly #groups: { line: number; kind: GroupKind; open: boolean; time: number | null; title: string }[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  add(line: number, kind: GroupKind, text: string, time: number | null): void {
    if (this.#groups.length >= this.#most) return;
    this.#groups.push({
      line,
      kind,
      open: kind === '+',
      time,
      title: detached(text.slice(4, 4 + longestTitle).trim()),
    });
  }

  openLast(): void {
    const last = this.#groups.at(-1);
    if (last !== undefined) last.open = true;
  }

  /** At the log's end. */
  settled(): Group[] {
    if (!this.#groups.some(({ open }) => open)) {
      const last = this.#groups.findLast(({ kind }) => kind === '-');
      if (last !== undefined) last.open = true;
    }
    return this.#groups;
  }
}
