/** `/-/ledger`: what is not complete, why, since when, and a button for each to try again now. */

import { formatDuration } from '../durations.ts';
import type { FileState } from '../model.ts';
import { counted, formatCount, instant } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { mirroredText, pill } from './parts.ts';

export interface LedgerRow {
  readonly id: string;
  readonly organization: string;
  readonly pipeline: string;
  readonly number: number;
  readonly url: string | null;
  readonly branch: string | null;
  readonly learned_from: string;
  readonly since: string;
  readonly settled: boolean;
  readonly complete: boolean;
  readonly expected: number;
  readonly present: number;
  readonly reasons: readonly {
    readonly state: FileState;
    readonly reason: string;
    readonly count: number;
    readonly examples: readonly string[];
  }[];
}

export interface LedgerPageInput {
  readonly builds: readonly LedgerRow[];
  readonly unsettled: number;
  readonly incomplete: number;
  readonly lost: number;
  /** ISO 8601 */
  readonly oldestSince: string | null;
  /** Query of the next page; null: there is none. */
  readonly next: string | null;
  /** The build that was just asked for again. */
  readonly asked: string | null;
  readonly now: number;
}

export function renderLedger(input: LedgerPageInput): string {
  const { builds, next, asked } = input;
  return renderPage({
    title: 'Ledger',
    crumbs: [{ name: 'Ledger', href: '/-/ledger' }],
    body: html`<h1>Ledger</h1>
<p class="lead">${leadOf(input)}</p>
${asked !== null && html`<p role="status">Asked for. The worker looks at it as soon as Buildkite’s limit lets it; reload to see what came of it.</p>`}
${
  builds.length === 0
    ? html`<div class="card listing empty">Nothing is missing.<br>Every build that the mirror knows of is here, complete.</div>`
    : html`<ol class="card listing rows">${builds.map(row)}</ol>`
}
${next !== null && html`<div class="actions"><a class="button" href="${next}">More</a></div>`}`,
    foot: html`The same as data: <a href="/-/ledger.json">ledger.json</a>.`,
  });
}

function leadOf({ unsettled, incomplete, lost, oldestSince, now }: LedgerPageInput): Html {
  const oldest =
    oldestSince === null ? '' : `, the oldest for ${formatDuration(Math.max(0, now - Date.parse(oldestSince)))}`;
  return html`${counted(unsettled, 'build')} still being fetched${oldest}. ${counted(incomplete, 'build')} not complete. ${counted(lost, 'file')} lost at Buildkite before they could be mirrored.`;
}

const learned = new Map([
  ['webhook', 'learned of by webhook'],
  ['reconcile', 'learned of by comparing'],
  ['backfill', 'learned of by backfill'],
  ['reader', 'learned of by a reader'],
]);

function row(build: LedgerRow): Html {
  const name = html`<bdi>${build.pipeline}</bdi> #${build.number}`;
  return html`<li>
<div>${build.settled ? pill('lost', 'incomplete') : pill('pending', 'unsettled')}</div>
<div class="what">
<div class="title">${build.url === null ? name : html`<a href="${build.url}">${name}</a>`}</div>
<div class="under">${build.branch !== null && html`<span><bdi class="mono">${build.branch}</bdi></span>`}<span>${mirroredText(build)}</span><span>${learned.get(build.learned_from) ?? build.learned_from}</span></div>
<ul class="gaps">${build.reasons.map(reasonLine)}</ul>
</div>
<div class="when">${instant(build.since)}<form method="post" action="/-/ledger/${build.id}/retry"><button type="submit">Try again now</button></form></div>
</li>`;
}

function reasonLine({ state, reason, count, examples }: LedgerRow['reasons'][number]): Html {
  const which = examples.map((path) => html`<bdi class="mono">${path}</bdi>`);
  const more = count > examples.length ? ` and ${formatCount(count - examples.length)} more` : '';
  return html`<li>${pill(state)} ${count > 0 && `${counted(count, 'file')}: `}<bdi>${reason}</bdi>${examples.length > 0 && html` <span class="quiet">${which.map((each, index) => html`${index > 0 && ', '}${each}`)}${more}</span>`}</li>`;
}
