/** What the tools above a log can do with it, whether all of its lines are in the page or only those that are looked at. */
import type { Selection } from './selection.ts';

export interface LogView {
  /** Brings lines to the middle, unfolded, and marks them. */
  show(selection: Selection, focus: boolean): void;
  foldAll(isFolded: boolean): void;
  readonly hasGroups: boolean;
  /** Calls when other lines are in the page than before. */
  onLines(listener: () => void): void;
}
