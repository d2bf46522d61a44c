/** `/` and `/<org>/`: what is mirrored and whether all of it, the builds of late, the pipelines. */
import type { BuildSummary } from '../model.ts';
import { counted, formatBytes, formatCount, instant, shortCommit } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { segment } from './links.ts';
import { nameHtml } from './names.ts';
import { buildPill, buildRow, mirroredText, pill, titleOf } from './parts.ts';

/** A pipeline's line; `folder` is its place in the addresses. */
export interface PipelineRow {
  readonly pipeline: string;
  readonly folder: string;
  readonly name: string | null;
  readonly builds: number;
  readonly latest: BuildSummary | null;
}

export interface HomePage {
  readonly organization: string;
  readonly pipelines: readonly PipelineRow[];
  /** Of all pipelines, newest first. */
  readonly newest: readonly { readonly folder: string; readonly summary: BuildSummary }[];
  /** Of the whole mirror; null for a reader who may not see all of it. */
  readonly totals: { readonly builds: number; readonly incomplete: number; readonly logicalBytes: number } | null;
}

export function renderHome({ organization, pipelines, newest, totals }: HomePage): string {
  const base = `/${segment(organization)}/`;
  const builds = pipelines.reduce((sum, row) => sum + row.builds, 0);
  const list =
    pipelines.length === 0
      ? html`<div class="card empty">No build has been mirrored yet.<br>The first one that Buildkite announces appears here.</div>`
      : html`<ol class="card rows">${pipelines.map((row) => pipelineRow(row, `${base}${segment(row.folder)}/`))}</ol>`;
  return renderPage({
    title: organization,
    crumbs: [{ name: organization, href: base }],
    body: html`<h1><bdi>${organization}</bdi></h1>
<p class="lead">${counted(pipelines.length, 'pipeline')}, ${counted(builds, 'build')}${totals !== null && `, ${formatBytes(totals.logicalBytes)}`} mirrored</p>
${totals !== null && totals.builds > 0 && completeness(totals)}
<h2>Pipelines</h2>
${list}
${newest.length > 0 && newestList(newest, base)}`,
  });
}

function completeness({ builds, incomplete }: { builds: number; incomplete: number }): Html {
  const complete = Math.max(0, builds - incomplete);
  return html`<p class="card verdict">${incomplete === 0 ? pill('passed', 'complete') : pill('pending', 'incomplete')}
<span>${formatCount(complete)} of ${counted(builds, 'build')} complete${incomplete === 0 && ': all their files are here'}</span>
<a href="/-/ledger">${incomplete === 0 ? 'Ledger' : 'What is missing, and why'}</a></p>`;
}

function newestList(newest: HomePage['newest'], base: string): Html {
  return html`<h2>Latest builds</h2><ol class="card rows">${newest.map(({ folder, summary }) =>
    buildRow(summary, `${base}${segment(folder)}/builds/${summary.number}/`, folder),
  )}</ol>`;
}

function pipelineRow(row: PipelineRow, href: string): Html {
  const { latest } = row;
  return html`<li>
<div>${latest !== null && buildPill(latest)}</div>
<div class="what">
<div class="title"><a href="${href}">${nameHtml(row.name ?? row.pipeline)}</a></div>
<div class="under">${row.name !== row.folder && html`<span class="mono">${row.folder}</span>`}<span>${counted(row.builds, 'build')}</span>${
    latest !== null &&
    html`<span><a href="${href}builds/${latest.number}/">#${latest.number}</a> ${nameHtml(titleOf(latest))}</span>
<span class="mono"><bdi>${latest.branch}</bdi></span><span>${shortCommit(latest.commit)}</span><span>${mirroredText(latest)}</span>`
  }</div>
</div>
<div class="when">${latest !== null && instant(latest.finished_at ?? latest.created_at)}</div>
</li>`;
}
