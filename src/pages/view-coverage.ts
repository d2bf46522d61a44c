/** Coverage: the sums, and a row for each file, the least covered first. */
import { type Coverage, type CoveredFile, type Part, total } from '../reports/coverage.ts';
import { counted, formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { factList } from './parts.ts';

const shownFiles = 2000;
const parts = ['lines', 'branches', 'functions'] as const;

export function renderCoverage({ files, truncated }: Coverage): Html {
  const rows = files.toSorted(
    (left, right) => share(left.lines) - share(right.lines) || (left.path < right.path ? -1 : 1),
  );
  const hidden = rows.length - shownFiles;
  return html`<div class="card">${factList([
    ...parts.map((part): [string, Html] => [
      part,
      html`<strong>${percent(total(files, part))}</strong> <span class="quiet">${ratio(total(files, part))}</span>${bar(total(files, part))}`,
    ]),
    ['files', html`<strong>${formatCount(files.length)}</strong>${truncated && ' and more'}`],
  ])}</div>
<div class="card scroll listing"><table class="stack"><thead><tr><th scope="col">File</th>${parts.map((part) => html`<th scope="col" class="n">${part}</th>`)}</tr></thead>
<tbody>${rows.slice(0, shownFiles).map(row)}</tbody></table></div>
${hidden > 0 && html`<p class="quiet">${counted(hidden, 'more file')}, all better covered, in the raw file.</p>`}`;
}

function row(file: CoveredFile): Html {
  return html`<tr><td class="whole"><bdi class="mono">${file.path}</bdi>${bar(file.lines)}</td>${parts.map(
    (part) =>
      html`<td class="n" data-label="${part}">${percent(file[part])} <span class="quiet">${ratio(file[part])}</span></td>`,
  )}</tr>`;
}

/** Nothing to cover is covered. */
function share({ found, hit }: Part): number {
  return found === 0 ? 1 : hit / found;
}

/** Rounded down, so that 100 % means all. */
function percent(part: Part): string {
  return part.found === 0 ? '–' : `${(Math.floor(share(part) * 1000) / 10).toFixed(1)} %`;
}

function ratio({ found, hit }: Part): string {
  return found === 0 ? '' : `${formatCount(hit)}/${formatCount(found)}`;
}

function bar(part: Part): Html | null {
  if (part.found === 0) return null;
  const width = raw(`style="width:${Math.floor(share(part) * 100)}%"`);
  return html`<span class="bar${share(part) < 0.8 && raw(' some')}" aria-hidden="true"><i ${width}></i></span>`;
}
