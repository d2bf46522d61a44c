/** Lines to copy: how a script gets at a build's or a job's record, at a file of it, and at the latest of its branch. */
import type { BuildRecord, JobRecord, ViewEntry } from '../model.ts';
import { type Html, html } from './html.ts';
import { latestHref, pathHref, segment } from './links.ts';

/** Where a build is for the world. */
export interface Whereabouts {
  /** The pipeline's place in the addresses. */
  readonly folder: string;
  /** The mirror's public base URL; without it there are no lines, only links. */
  readonly url: string | undefined;
}

export interface ScriptLines extends Whereabouts {
  readonly build: BuildRecord;
  readonly merged: readonly ViewEntry[];
}

export function renderScript({ build, merged, folder, url }: ScriptLines): Html {
  const example = merged.find(({ path }) => !path.startsWith('.')) ?? merged[0];
  // A build that passed is there under its branch's address, itself or a later one; of others nobody knows.
  const isLatest = build.state === 'passed' && build.settled && !build.blocked && build.pull_request?.fork !== true;
  const latest = isLatest && build.branch !== '' ? (rest: string) => latestHref(build.branch, rest) : null;
  const lines = url === undefined ? [] : curlLines({ build, folder, url }, example?.path, latest);
  return html`<h2>From a script</h2>
<p class="quiet"><a href="build.json">build.json</a> says what the mirror holds of this build; each job has a <code>job.json</code> and a <code>SHA256SUMS</code> for <code>sha256sum -c</code>.${
    latest !== null &&
    html` Addresses below <a href="../../${latest('')}">latest</a> never change and lead to the branch’s latest passed build.`
  }</p>
${lines.map(copied)}`;
}

export function renderJobScript(build: BuildRecord, job: JobRecord, { folder, url }: Whereabouts): Html {
  const example = job.artifacts.find(({ state }) => state === 'present')?.url;
  const log = job.log?.state === 'present' ? job.log.url : null;
  const files = [`jobs/${job.id}/job.json`, log, example].filter((file) => typeof file === 'string');
  const base = url === undefined ? null : `${pipelineAddress(build, folder, url)}/builds/${build.number}`;
  const lines = base === null ? [] : files.map((file) => `curl -fO ${shellQuote(`${base}/${file}`)}`);
  return html`<h2>From a script</h2>
<p class="quiet"><a href="job.json">job.json</a> is the record of this job; <a href="SHA256SUMS">SHA256SUMS</a> checks its files with <code>sha256sum -c</code>.</p>
${lines.map(copied)}`;
}

function copied(line: string): Html {
  return html`<pre class="copy"><code>${line}</code></pre>`;
}

function pipelineAddress({ organization }: BuildRecord, folder: string, url: string): string {
  return `${url.replace(/\/+$/, '')}/${segment(organization)}/${segment(folder)}`;
}

function curlLines(
  { build, folder, url }: { build: BuildRecord; folder: string; url: string },
  path: string | undefined,
  latest: ((rest: string) => string) | null,
): string[] {
  const pipeline = pipelineAddress(build, folder, url);
  const lines = [`curl -fsS ${shellQuote(`${pipeline}/builds/${build.number}/build.json`)}`];
  if (path === undefined) return lines;
  lines.push(`curl -fO ${shellQuote(`${pipeline}/builds/${build.number}/artifacts/${pathHref(path)}`)}`);
  if (latest !== null) lines.push(`curl -fLO ${shellQuote(`${pipeline}/${latest(`artifacts/${path}`)}`)}`);
  return lines;
}

/** Our addresses are percent-encoded: a quote is all that could end the word, and encodeURIComponent leaves it as it is. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", '%27')}'`;
}
