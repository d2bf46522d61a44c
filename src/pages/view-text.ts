/** Text with line numbers, a part at a time. */
import { formatCount } from './format.ts';
import { type Html, html } from './html.ts';

export interface TextPart {
  readonly text: string;
  /** Where it begins, in bytes. */
  readonly at: number;
  /** The number of its first line, from 1. */
  readonly firstLine: number;
  /** Where the next part begins, in bytes; null where this is the last. */
  readonly next: number | null;
}

const longestLine = 10_000;

/** @param href the file's page */
export function renderText({ text, at, firstLine, next }: TextPart, href: string): Html {
  if (text === '') return html`<div class="card listing empty">This file is empty.</div>`;
  const lines = text.replaceAll('\r\n', '\n').replace(/\n$/, '').split('\n');
  // A line that is longer than a part goes on in the next one under its own number.
  const following = firstLine + lines.length - Number(!text.endsWith('\n'));
  return html`<div class="card source" role="region" aria-label="Content" tabindex="0">${lines.map((line, index) => lineOf(line, firstLine + index))}</div>
${
  (at > 0 || next !== null) &&
  html`<div class="actions">${at > 0 && html`<a class="button" href="${href}?view" rel="first">From the start</a>`}${
    next !== null &&
    html`<a class="button" href="${href}?view&amp;at=${next}&amp;line=${following}" rel="next">Line ${formatCount(following)} and on</a>`
  }</div>`
}`;
}

function lineOf(text: string, number: number): Html {
  const rest = text.length - longestLine;
  return html`<div class="line" id="L${number}"><a href="#L${number}">${number}</a><span>${
    rest > 0 ? `${text.slice(0, longestLine)} … ${rest} more characters` : text
  }</span></div>`;
}
