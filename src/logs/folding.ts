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
    const { header, link } = apart(headerHtml(lines[at] ?? '', headers, place));
    html += `${link}<details${kind === '~' ? ' class="quietly"' : ''}${open ? ' open' : ''}><summary>${header}</summary>`;
    isIn = true;
    from = at + 1;
  }
  return html + lines.slice(from).join('') + (isIn ? '</details>' : '');
}

/** What folds is a button, in which screen readers find no link: the number's one stands before it, and is laid over it. */
function apart(line: string): { header: string; link: string } {
  const [whole = '', href = '', number = ''] = /<a href="(#L\d+)">(\d+)<\/a>/.exec(line) ?? [];
  if (whole === '') return { header: line, link: '' };
  return {
    header: line.replace(whole, `<i class="number" aria-hidden="true">${number}</i>`),
    link: `<a class="over" href="${href}" aria-label="Line ${number}"></a>`,
  };
}
