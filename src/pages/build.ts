/** `/<org>/<pipeline>/builds/<number>/`: one build. */

import { formatDuration } from '../durations.ts';
import type { AnnotationFacts, BuildRecord, ViewEntry } from '../model.ts';
import type { Outlook, Part } from '../tree/retention.ts';
import { renderAnnotations } from './annotations.ts';
import { renderArtifacts } from './build-artifacts.ts';
import { renderGaps } from './build-gaps.ts';
import { renderFailed, renderJobs } from './build-jobs.ts';
import { renderScript } from './build-script.ts';
import type { JobDetails } from './details.ts';
import { elapsed, formatBytes, instant, shortCommit } from './format.ts';
import { type Html, html, type Value } from './html.ts';
import { renderPage } from './layout.ts';
import { outwardHref, segment } from './links.ts';
import { nameHtml, nameText } from './names.ts';
import { buildPill, durationOf, factList, mirroredBar, mirroredText, titleOf } from './parts.ts';
import { renderReports } from './reports.ts';

export interface BuildPage {
  readonly build: BuildRecord;
  /** What the merged view shows. */
  readonly merged: readonly ViewEntry[];
  /** Numbers of the neighbours that are mirrored. */
  readonly previous: number | null;
  readonly next: number | null;
  /** By job id, of `describeJob`: what is missing and why, logs, matrix. Without them the page shows less. */
  readonly details?: ReadonlyMap<string, JobDetails>;
  /** As upstream has them. */
  readonly annotations?: readonly AnnotationFacts[];
  /** The pipeline's place in the addresses, where that is not its slug. */
  readonly folder?: string;
  /** What retention will remove of it, and when; null: nothing. */
  readonly outlook?: Outlook | null;
  /** Retention leaves it alone until the pin is removed. */
  readonly pinned?: boolean;
  /** The mirror's public base URL, for lines to copy. */
  readonly url?: string;
}

export function renderBuild({
  build,
  merged,
  previous,
  next,
  details = new Map(),
  annotations = [],
  folder = build.pipeline,
  url,
  outlook = null,
  pinned = false,
}: BuildPage): string {
  const title = titleOf(build);
  return renderPage({
    title: `${nameText(title)} · ${build.pipeline} #${build.number}`,
    head:
      url !== undefined &&
      preview(
        build,
        `${url.replace(/\/+$/, '')}/${segment(build.organization)}/${segment(folder)}/builds/${build.number}/`,
      ),
    ...(annotations.length > 0 && { styles: ['view.css'] }),
    crumbs: [
      { name: build.organization, href: '../../../' },
      { name: build.pipeline, href: '../../' },
      { name: 'builds', href: '../' },
      { name: `#${build.number}`, href: './' },
    ],
    body: html`<div class="head">${buildPill(build)}<h1><span class="quiet">#${build.number}</span> ${nameHtml(title)}</h1>${neighbours(previous, next)}</div>
${messageRest(build.message)}
${actions(build, merged.length > 0)}
${facts(build)}
<section class="card mirror" aria-label="Mirrored files"><strong>${mirroredText(build)}</strong>${
      build.bytes > 0 && html` <span class="quiet">${formatBytes(build.bytes)}</span>`
    }
${mirroredBar(build)}
${keptText(build, outlook, pinned)}
${renderGaps(build, details)}
</section>
${renderReports(merged)}
${renderAnnotations(annotations, build.jobs, outwardHref(build.web_url))}
${renderFailed(build.jobs, details)}
${renderJobs(build.jobs, details)}
${renderArtifacts(merged, details, collisionsOf(details))}
${renderScript({ build, merged, folder, url })}`,
    foot: html`Mirrored ${instant(build.mirrored_at)}, learned from ${source(build.learned_from)}. Build ${build.id}`,
  });
}

/** What follows the first line of a commit's message. */
function messageRest(message: string | null): Html | null {
  const text = (message ?? '').trim().replaceAll(/\r\n?/g, '\n');
  const cut = text.indexOf('\n');
  const rest = cut === -1 ? '' : text.slice(cut).trim();
  return rest === '' ? null : html`<p class="message"><bdi>${rest}</bdi></p>`;
}

function neighbours(previous: number | null, next: number | null): Html | null {
  if (previous === null && next === null) return null;
  return html`<span class="end">${
    previous !== null &&
    html`<a class="button" rel="prev" href="../${previous}/" aria-label="Previous build, #${previous}">← #${previous}</a>`
  }${next !== null && html`<a class="button" rel="next" href="../${next}/" aria-label="Next build, #${next}">#${next} →</a>`}</span>`;
}

function actions(build: BuildRecord, hasFiles: boolean): Html {
  const upstream = outwardHref(build.web_url);
  return html`<div class="actions">${hasFiles && html`<a class="button" href="#artifacts">Artifacts</a>`}<a class="button" href="compare/">Compare</a>${
    hasFiles && html`<a class="button" href="artifacts/?archive" download>Download all</a>`
  }${upstream !== null && html`<a class="button" rel="noreferrer" href="${upstream}">View on Buildkite</a>`}</div>`;
}

/** How many files of other jobs have the path of one that the merged view shows. */
function collisionsOf(details: ReadonlyMap<string, JobDetails>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { outrankedPaths } of details.values())
    for (const path of outrankedPaths) counts.set(path, (counts.get(path) ?? 0) + 1);
  return counts;
}

const partNames: Readonly<Record<Part, string>> = {
  artifacts: 'Artifacts are',
  logs: 'Logs are',
  build: 'The build is',
};

/** When it will be dropped. */
function keptText(build: BuildRecord, outlook: Outlook | null, pinned: boolean): Html | null {
  if (pinned) return html`<p class="quiet">Pinned: retention removes nothing of this build.</p>`;
  if (outlook === null) return null;
  const { part, until, newest, keepLatest } = outlook;
  const among =
    newest !== null &&
    html`while ${newest === 1 ? 'it is the newest' : `it is among the newest ${newest}`} of <bdi class="mono">${build.branch}</bdi>`;
  const limits = html`${until !== null && html`until ${instant(until)}`}${until !== null && among !== false && ', '}${among}`;
  return html`<p class="quiet">${partNames[part]} kept ${limits}${keepLatest > 0 && `; longer while it is ${latestText(build.state, keepLatest)}`}.</p>`;
}

function latestText(state: string, keepLatest: number): string {
  if (state === 'passed') return `${keepLatest === 1 ? 'the latest' : `among the latest ${keepLatest}`} that passed`;
  return state === 'failed' ? 'the latest that failed' : 'the latest of its branch';
}

/** What a chat shows of a link to this page: it reads it as anybody would, or is asked to sign in and shows nothing. */
function preview(build: BuildRecord, address: string): Html {
  const about = `${build.state.replaceAll('_', ' ')} · ${build.branch} · ${mirroredText(build)}`;
  return html`<meta property="og:type" content="website"><meta property="og:site_name" content="Kitemirror"><meta property="og:title" content="${build.pipeline} #${build.number}: ${nameText(titleOf(build))}"><meta property="og:description" content="${about}"><meta property="og:url" content="${address}">`;
}

function facts(build: BuildRecord): Html {
  const waited = elapsed(build.created_at, build.started_at);
  const pull = build.pull_request;
  const what: [string, Value][] = [
    ['Branch', html`<a class="mono" href="../?branch=${segment(build.branch)}"><bdi>${build.branch}</bdi></a>`],
    ['Tag', build.tag !== null && html`<bdi class="mono">${build.tag}</bdi>`],
    ['Pull request', pull !== null && pullText(pull)],
    ['Commit', build.commit !== '' && shortCommit(build.commit)],
    ['Author', build.author !== null && html`<bdi>${build.author}</bdi>`],
    ['Source', build.source?.replaceAll('_', ' ')],
  ];
  const when: [string, Value][] = [
    ['Created', instant(build.created_at)],
    ['Started', instant(build.started_at)],
    ['Finished', instant(build.finished_at)],
    ['Duration', durationOf(build)],
    ['Waited', waited !== null && waited >= 1000 && formatDuration(waited)],
  ];
  return html`<div class="card">${factList(what)}${factList(when)}</div>`;
}

function pullText(pull: NonNullable<BuildRecord['pull_request']>): Html {
  return html`<bdi>#${pull.id}</bdi>${pull.base !== null && html` into <bdi class="mono">${pull.base}</bdi>`}${
    pull.fork && html` <span class="tag">from a fork</span>`
  }`;
}

function source(learnedFrom: BuildRecord['learned_from']): string {
  return { webhook: 'a webhook', reconcile: 'reconciling', backfill: 'a backfill', reader: 'a reader’s request' }[
    learnedFrom
  ];
}
