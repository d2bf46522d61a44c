/** `/<org>/<pipeline>/builds/`: all builds, filtered by a form that needs no script. */
import type { BuildSummary } from '../model.ts';
import { type Html, html, raw } from './html.ts';
import { renderPage } from './layout.ts';
import { segment } from './links.ts';
import { nameHtml } from './names.ts';
import { buildList } from './parts.ts';

export interface BuildsFilter {
  readonly branch?: string;
  readonly state?: string;
  readonly before?: number;
}

export interface BuildsPage {
  readonly organization: string;
  readonly pipeline: string;
  readonly folder: string;
  readonly builds: readonly BuildSummary[];
  readonly filter: BuildsFilter;
  /** The number of the last build shown when there are more, else null. */
  readonly nextBefore: number | null;
}

/** What a finished or running build can be; any other is reached by its address. */
const states = ['passed', 'failed', 'canceled', 'blocked', 'running', 'failing', 'skipped', 'not_run'];

export function renderBuilds({ organization, pipeline, folder, builds, filter, nextBefore }: BuildsPage): string {
  const isFiltered = filter.branch !== undefined || filter.state !== undefined || filter.before !== undefined;
  const none = isFiltered ? 'No build matches.' : 'No build of this pipeline has been mirrored yet.';
  return renderPage({
    title: `Builds · ${pipeline}`,
    crumbs: [
      { name: organization, href: '../../' },
      { name: folder, href: '../' },
      { name: 'builds', href: './' },
    ],
    body: html`<h1>Builds of ${nameHtml(builds[0]?.pipeline_name ?? pipeline)}</h1>
${filterForm(filter, isFiltered)}
${buildList(builds, (build) => `${build.number}/`, none)}
${nextBefore !== null && html`<div class="actions"><a class="button" rel="next" href="${nextHref(filter, nextBefore)}">Older builds</a></div>`}`,
  });
}

function filterForm(filter: BuildsFilter, isFiltered: boolean): Html {
  const known = filter.state === undefined || states.includes(filter.state) ? states : [filter.state, ...states];
  const options = known.map(
    (state) =>
      html`<option value="${state}"${state === filter.state && raw(' selected')}>${state.replaceAll('_', ' ')}</option>`,
  );
  return html`<form class="filter" method="get" action="./">
<label>Branch <input name="branch" value="${filter.branch ?? ''}" maxlength="255" autocomplete="off" spellcheck="false"></label>
<label>State <select name="state"><option value="">any</option>${options}</select></label>
<button type="submit">Filter</button>
${isFiltered && html`<a class="button" href="./">Clear</a>`}
</form>`;
}

function nextHref({ branch, state }: BuildsFilter, before: number): string {
  const pairs = [
    branch === undefined ? '' : `&branch=${segment(branch)}`,
    state === undefined ? '' : `&state=${segment(state)}`,
  ];
  return `./?before=${before}${pairs.join('')}`;
}
