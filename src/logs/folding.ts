/** Lines in the groups that fold them, as HTML that folds by itself. Pure. */
import type { Group } from './groups.ts';

/** @param lines HTML of each line, from number `first` on */
export function foldedHtml(lines: readonly string[], first: number, groups: readonly Group[]): string {
  let html = '';
  let from = 0;
  let isIn = false;
  for (const { line, open, kind } of groups) {
    const at = line - first;
    if (at < from) continue;
    if (at >= lines.length) break;
    html += lines.slice(from, at).join('') + (isIn ? '</details>' : '');
    html += `<details${kind === '~' ? ' class="quietly"' : ''}${open ? ' open' : ''}><summary>${lines[at] ?? ''}</summary>`;
    isIn = true;
    from = at + 1;
  }
  return html + lines.slice(from).join('') + (isIn ? '</details>' : '');
}
