/** `/<org>/<pipeline>/`: the latest build of each branch, and the builds of late. */
import type { BuildSummary } from '../model.ts';
import { instant } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { latestHref, segment } from './links.ts';
import { nameHtml, nameText } from './names.ts';
import { buildList, buildPill, mirroredText, titleOf } from './parts.ts';

export interface PipelinePage {
  readonly organization: string;
  /** Its slug. */
  readonly pipeline: string;
  /** Its place in the addresses; another one than the slug when a newer pipeline has taken that. */
  readonly folder: string;
  /** Newest first. */
  readonly builds: readonly BuildSummary[];
  /** The latest build of each branch. */
  readonly branches: readonly BuildSummary[];
  /** The line for a README: of a branch whose badge anybody may see, or the line leads nowhere. */
  readonly badge?: {
    /** The mirror's public base URL. */
    readonly url: string;
    readonly branch: string;
  };
}

/** Whose badge a pipeline's page offers: most pipelines have one branch that counts, the others the one built last. */
export function badgeBranch(branches: readonly BuildSummary[], hasBadge: (branch: string) => boolean): string | null {
  const names = branches.map(({ branch }) => branch).filter((name) => name !== '');
  const counts = (name: string): boolean => name === 'main' || name === 'master';
  return names.find((name) => counts(name) && hasBadge(name)) ?? names.find(hasBadge) ?? null;
}

export function renderPipeline({ organization, pipeline, folder, builds, branches, badge }: PipelinePage): string {
  const name = builds[0]?.pipeline_name ?? pipeline;
  return renderPage({
    title: `${nameText(name)} · ${organization}`,
    crumbs: [
      { name: organization, href: '../' },
      { name: folder, href: './' },
    ],
    body: html`<h1>${nameHtml(name)}</h1>
${folder !== pipeline && html`<p class="lead">An earlier pipeline that was called <code>${pipeline}</code>; another one has that name now.</p>`}
${branches.length > 0 && html`<h2>Branches <small>the latest build of each</small></h2>${branchList(branches, builds)}`}
<h2>Builds <small><a href="builds/">all builds</a></small></h2>
${buildList(builds, (build) => `builds/${build.number}/`, 'No build of this pipeline has been mirrored yet.')}
${badge !== undefined && badgeLine(`${badge.url.replace(/\/+$/, '')}/${segment(organization)}/${segment(folder)}/`, badge.branch)}`,
  });
}

function branchList(branches: readonly BuildSummary[], builds: readonly BuildSummary[]): Html {
  const passed = new Set([...branches, ...builds].filter(isLatestPassed).map((build) => build.branch));
  return html`<ol class="card rows">${branches.map((build) => branchRow(build, passed.has(build.branch)))}</ol>`;
}

/** Whether it is what its branch's stable address may lead to. */
function isLatestPassed({ state, settled, blocked, pull_request: pull }: BuildSummary): boolean {
  return state === 'passed' && settled && !blocked && pull?.fork !== true;
}

function badgeLine(address: string, branch: string): Html {
  const line = `[![build](${address}${latestHref(branch, 'badge.svg')})](${address}${stateHref(branch)})`;
  return html`<h2>Badge</h2><p><img src="${latestHref(branch, 'badge.svg')}" alt="State of the latest build of ${branch}" height="20"></p><pre class="copy"><code>${line}</code></pre>`;
}

/** The latest build, whatever its state. */
function stateHref(branch: string): string {
  const href = latestHref(branch);
  return `${href}${href.includes('?') ? '&' : '?'}state=any`;
}

/** @param hasPassed whether a build of that branch is known to have passed: only then there is a latest one */
function branchRow(build: BuildSummary, hasPassed: boolean): Html {
  return html`<li>
<div>${buildPill(build)}</div>
<div class="what"><div class="title"><a class="mono" href="builds/${build.number}/"><bdi>${build.branch}</bdi></a></div>
<div class="under"><span>#${build.number} ${nameHtml(titleOf(build))}</span><span>${mirroredText(build)}</span></div></div>
<div class="when">${instant(build.finished_at ?? build.created_at)}<br>${
    hasPassed && html`<a href="${latestHref(build.branch)}">latest passed</a>`
  }</div>
</li>`;
}
