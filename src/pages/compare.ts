/** `…/builds/<number>/compare/`: what another build did differently, what fails now first. */

import { formatDuration } from '../durations.ts';
import type { BuildRecord, JobRecord, ViewEntry } from '../model.ts';
import { variantOf } from './details.ts';
import { counted, elapsed, formatBytes, formatCount, instant, shortCommit, shortDigest } from './format.ts';
import { type Html, html } from './html.ts';
import { renderPage } from './layout.ts';
import { pathHref } from './links.ts';
import { nameHtml } from './names.ts';
import { buildPill, durationOf, jobPill, titleOf } from './parts.ts';

export interface ComparedJob {
  readonly now: JobRecord | null;
  readonly before: JobRecord | null;
}

export interface TestLine {
  readonly name: string;
  readonly place: string;
  readonly message: string | null;
  /** Of the newer build, in which it ended so. */
  readonly jobs: readonly JobRecord[];
}

/** What is counted are runs: a test in each variant of its step. */
export interface TestChanges {
  readonly newlyFailing: readonly TestLine[];
  readonly stillFailing: readonly TestLine[];
  readonly fixed: readonly TestLine[];
  readonly added: number;
  readonly gone: number;
  readonly now: number;
  readonly before: number;
}

export interface ArtifactChange {
  readonly path: string;
  readonly now: ViewEntry | null;
  readonly before: ViewEntry | null;
}

export interface ComparePage {
  readonly build: BuildRecord;
  readonly folder: string;
  /** Whose last passed build is taken where no other is asked for. */
  readonly baseBranch: string;
  /** null where there is none to compare with. */
  readonly other: {
    readonly build: BuildRecord;
    readonly jobs: readonly ComparedJob[];
    readonly tests: TestChanges;
    readonly artifacts: readonly ArtifactChange[];
    readonly areTestsWhole: boolean;
  } | null;
}

const [shownTests, shownJobs, shownArtifacts, shownPictures] = [200, 6, 500, 24];

export function renderCompare({ build, folder, baseBranch, other }: ComparePage): string {
  return renderPage({
    title: `Compare #${build.number} · ${build.pipeline}`,
    scripts: ['compare.js'],
    crumbs: [
      { name: build.organization, href: '../../../../' },
      { name: folder, href: '../../../' },
      { name: 'builds', href: '../../' },
      { name: `#${build.number}`, href: '../' },
      { name: 'compare', href: './' },
    ],
    body: html`<h1>Compare ${other === null ? html`#${build.number}` : html`#${other.build.number} with #${build.number}`}</h1>
<form class="filter" method="get" action="./"><label>Other build <input name="with" inputmode="numeric" pattern="#?[0-9]+" value="${other === null ? '' : String(other.build.number)}" autocomplete="off"></label><button type="submit">Compare</button><a class="button" href="./">Last passed of <bdi>${baseBranch}</bdi></a></form>
${
  other === null
    ? html`<div class="card empty">No earlier build of <bdi class="mono">${baseBranch}</bdi> that passed is mirrored. Give the number of any other build.</div>`
    : html`<ol class="card rows">${side('Before', other.build, `../../${other.build.number}/`)}${side('Now', build, '../')}</ol>
${tests(other.tests, other.areTestsWhole)}
${jobs(other.jobs, other.build.number)}
${artifacts(other.artifacts, other.build.number)}
${pictures(other.artifacts, other.build.number)}`
}`,
  });
}

function side(label: string, build: BuildRecord, href: string): Html {
  return html`<li><div>${buildPill(build)}</div><div class="what"><div class="title"><a href="${href}">#${build.number} ${nameHtml(titleOf(build))}</a></div>
<div class="under"><span>${label}</span><span><bdi class="mono">${build.branch}</bdi></span>${build.commit !== '' && html`<span>${shortCommit(build.commit)}</span>`}</div></div><div class="when">${instant(build.finished_at)}<br>${durationOf(build)}</div></li>`;
}

function tests(changes: TestChanges, areWhole: boolean): Html {
  const { newlyFailing, stillFailing, fixed, added, gone, now, before } = changes;
  const total = html`<small>${formatCount(before)} before, ${formatCount(now)} now${added > 0 && `, ${formatCount(added)} new`}${gone > 0 && `, ${formatCount(gone)} gone`}</small>`;
  const whole =
    !areWhole && html`<p class="quiet">Not all test reports were read: there are too many, or they are too large.</p>`;
  if (now + before === 0)
    return html`<h2>Tests</h2><div class="card empty">Neither build has a JUnit report.</div>${whole}`;
  const groups: [string, string, readonly TestLine[]][] = [
    ['Newly failing', 'bad', newlyFailing],
    ['Still failing', 'busy', stillFailing],
    ['Fixed', 'good', fixed],
  ];
  const shown = groups.filter(([, , lines]) => lines.length > 0);
  return html`<h2>Tests ${total}</h2>${
    shown.length === 0
      ? html`<div class="card empty">No test fails that did not, and none was mended.</div>`
      : shown.map(
          ([label, tone, lines]) =>
            html`<div class="card listing"><h3><span class="pill ${tone}">${label}</span> ${formatCount(lines.length)}</h3><ul class="rows">${lines.slice(0, shownTests).map(testRow)}</ul>${
              lines.length > shownTests &&
              html`<p class="quiet empty">and ${formatCount(lines.length - shownTests)} more</p>`
            }</div>`,
        )
  }${whole}`;
}

function testRow({ name, place, message, jobs: ran }: TestLine): Html {
  return html`<li class="plain"><div class="what"><div class="title"><bdi>${name}</bdi></div><div class="under"><span><bdi>${place}</bdi></span>${
    message !== null && html`<span><bdi class="mono">${message}</bdi></span>`
  }</div><div class="under">${ran.slice(0, shownJobs).map((job) => html`<span>${jobName(job, `../jobs/${job.id}/log/`)}</span>`)}${
    ran.length > shownJobs && html`<span>and ${counted(ran.length - shownJobs, 'more job')}</span>`
  }</div></div></li>`;
}

function jobName(job: JobRecord, href: string): Html {
  const variant = variantOf(job);
  return html`<a href="${href}">${nameHtml(job.name ?? job.step_key ?? 'Unnamed job')}</a>${variant !== null && html` <span class="tag"><bdi>${variant}</bdi></span>`}`;
}

function jobs(pairs: readonly ComparedJob[], number: number): Html {
  const changed = pairs.filter(
    ({ now, before }) =>
      now === null || before === null || now.state !== before.state || now.exit_status !== before.exit_status,
  );
  const rest = pairs.filter((pair) => !changed.includes(pair));
  const table = (rows: readonly ComparedJob[]): Html =>
    html`<div class="card scroll"><table class="stack"><thead><tr><th scope="col">Job</th><th scope="col">Before</th><th scope="col">Now</th><th scope="col" class="n">Duration before</th><th scope="col" class="n">now</th><th scope="col" class="n">change</th></tr></thead><tbody>${rows.map((pair) => jobRow(pair, number))}</tbody></table></div>`;
  return html`<h2>Jobs <small>${formatCount(changed.length)} of ${formatCount(pairs.length)} differ</small></h2>${changed.length > 0 && table(changed)}${
    rest.length > 0 &&
    html`<details class="more"><summary>${formatCount(rest.length)} that ended alike</summary>${table(rest)}</details>`
  }`;
}

function jobRow({ now, before }: ComparedJob, number: number): Html {
  const name =
    now !== null
      ? jobName(now, `../jobs/${now.id}/`)
      : before !== null && jobName(before, `../../${number}/jobs/${before.id}/`);
  const [lasts, lasted] = [timeOf(now), timeOf(before)];
  return html`<tr><td class="whole">${name}</td><td class="fit">${
    before === null
      ? html`<span class="quiet">not there</span>`
      : html`<a href="../../${number}/jobs/${before.id}/">${jobPill(before, before.soft_failed)}</a>`
  }</td><td class="fit">${now === null ? html`<span class="quiet">not there</span>` : html`<a href="../jobs/${now.id}/">${jobPill(now, now.soft_failed)}</a>`}</td><td class="n">${
    lasted !== null && formatDuration(lasted)
  }</td><td class="n">${lasts !== null && formatDuration(lasts)}</td><td class="n">${lasted !== null && lasts !== null && difference(lasts - lasted, formatDuration)}</td></tr>`;
}

function timeOf(job: JobRecord | null): number | null {
  return job === null ? null : elapsed(job.started_at, job.finished_at);
}

function difference(by: number, format: (value: number) => string): string {
  if (by === 0) return '=';
  return `${by > 0 ? '+' : '−'}${format(Math.abs(by))}`;
}

/** Only what changed is listed: where the size did not, the bytes did. */
function sizeChange(by: number): string {
  return by === 0 ? 'same size' : difference(by, formatBytes);
}

function artifacts(changes: readonly ArtifactChange[], number: number): Html {
  if (changes.length === 0) return html`<h2>Artifacts</h2><div class="card empty">All files are the same.</div>`;
  const count = (test: (change: ArtifactChange) => boolean): number => changes.filter(test).length;
  const [added, gone] = [count(({ before }) => before === null), count(({ now }) => now === null)];
  return html`<h2>Artifacts <small>${formatCount(changes.length - added - gone)} changed, ${formatCount(added)} new, ${formatCount(gone)} gone</small></h2>
<div class="card scroll"><table class="stack"><thead><tr><th scope="col">Path</th><th scope="col" class="n">Before</th><th scope="col" class="n">Now</th><th scope="col" class="n">Change</th><th scope="col">SHA-256 before</th><th scope="col">SHA-256 now</th></tr></thead><tbody>${changes.slice(0, shownArtifacts).map((change) => artifactRow(change, number))}</tbody></table></div>
${changes.length > shownArtifacts && html`<p class="quiet">The first ${shownArtifacts} are shown.</p>`}`;
}

function artifactRow({ path, now, before }: ArtifactChange, number: number): Html {
  const href = pathHref(path);
  const cell = (entry: ViewEntry | null, at: string): Html =>
    entry === null
      ? html`<span class="quiet">not there</span>`
      : html`<a href="${at}artifacts/${href}">${formatBytes(entry.size)}</a>`;
  const change = now === null ? 'gone' : before === null ? 'new' : sizeChange(now.size - before.size);
  return html`<tr><td class="whole"><bdi class="mono">${path}</bdi></td><td class="n">${cell(before, `../../${number}/`)}</td><td class="n">${cell(now, '../')}</td><td class="n">${change}</td><td>${before !== null && shortDigest(before.sha256)}</td><td>${now !== null && shortDigest(now.sha256)}</td></tr>`;
}

function pictures(changes: readonly ArtifactChange[], number: number): Html | null {
  const changed = changes.filter(
    ({ path, now, before }) => now !== null && before !== null && /\.(png|jpe?g|webp|gif|avif)$/i.test(path),
  );
  if (changed.length === 0) return null;
  return html`<h2>Pictures <small>${formatCount(changed.length)} changed</small></h2>${changed
    .slice(0, shownPictures)
    .map(
      ({ path }) =>
        html`<section class="card listing"><h3 class="mono"><bdi>${path}</bdi></h3><div class="pictures" data-difference>${figure('Before', `../../${number}/artifacts/${pathHref(path)}`)}${figure('Now', `../artifacts/${pathHref(path)}`)}</div></section>`,
    )}${changed.length > shownPictures && html`<p class="quiet">The first ${shownPictures} are shown.</p>`}`;
}

function figure(label: string, src: string): Html {
  return html`<figure><figcaption>${label}</figcaption><a href="${src}"><img src="${src}" alt="${label}" loading="lazy"></a></figure>`;
}
