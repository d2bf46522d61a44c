/** Lines in the groups that fold them, as HTML that folds by itself. Pure. */
import { type Headers, headerHtml } from './headers.ts';

/** @param lines HTML of each line, from number `first` on */
export function foldedHtml(lines: readonly string[], first: number, headers: Headers): string {
  let html = '';
  let from = 0;
  let isIn = false;
  for (const [place, { line, open, kind }] of headers.groups.entries()) {
    const at = line - first;
    if (at < from) continue;
    if (at >= lines.length) break;
    html += lines.slice(from, at).join('') + (isIn ? '</details>' : '');
    html += `<details${kind === '~' ? ' class="quietly"' : ''}${open ? ' open' : ''}><summary>${headerHtml(lines[at] ?? '', headers, place)}</summary>`;
    isIn = true;
    from = at + 1;
  }
  return html + lines.slice(from).join('') + (isIn ? '</details>' : '');
}
