/** Lines to copy: how a script gets at a build's record, at a file of it, and at the latest of its branch. */
import type { BuildRecord, ViewEntry } from '../model.ts';
import { type Html, html } from './html.ts';
import { latestHref, pathHref, segment } from './links.ts';

export interface ScriptLines {
  readonly build: BuildRecord;
  readonly merged: readonly ViewEntry[];
  /** The pipeline's place in the addresses. */
  readonly folder: string;
  /** The mirror's public base URL; without it there are no lines, only links. */
  readonly url: string | undefined;
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
${lines.map((line) => html`<pre class="copy"><code>${line}</code></pre>`)}`;
}

function curlLines(
  { build, folder, url }: { build: BuildRecord; folder: string; url: string },
  path: string | undefined,
  latest: ((rest: string) => string) | null,
): string[] {
  const pipeline = `${url.replace(/\/+$/, '')}/${segment(build.organization)}/${segment(folder)}`;
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
