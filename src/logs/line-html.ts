/** One line of a log as HTML. Every text is escaped, every colour is a class or six digits. Pure, and shared with the browser. */
import { escape } from '../escape.ts';
import { colorOf, faded, hex, ink, panel, readable, selected } from '../pens/colors.ts';
import { bold, faint, inverse, italic, type Pen, plainPen, struck, underlined, usual } from '../pens/pen.ts';
import type { Run } from './row.ts';

export interface Line {
  readonly runs: readonly Run[];
  /** Milliseconds since 1970. */
  readonly time: number | null;
}

/** @param number from 1; null where it is not known @param kind classes more @param before HTML in front of the text */
export function lineHtml(line: Line, number: number | null, kind = '', before = ''): string {
  const time = line.time === null ? '' : timeAttribute(line.time);
  if (number === null) return `<div class="line${kind}"${time}>${before}<span>${runsHtml(line.runs)}</span></div>`;
  const name = String(number);
  return `<div class="line${kind}" id="L${name}"${time}><a href="#L${name}">${name}</a>${before}<span>${runsHtml(line.runs)}</span></div>`;
}

/** So many characters of a line are shown: the time in which a browser lays one out grows faster than the line. */
const mostShown = 50_000;
/** No run more is begun behind so much HTML: each character may have colours and a link of its own. */
const mostHtml = 256 * 1024;

export function runsHtml(runs: readonly Run[]): string {
  let html = '';
  let shown = 0;
  let link: string | null = null;
  for (const { text, pen } of runs) {
    const room = mostShown - shown;
    if (room === 0 || html.length > mostHtml) break;
    if (pen.link !== link) {
      html += (link === null ? '' : '</a>') + (pen.link === null ? '' : opened(pen.link));
      link = pen.link;
    }
    const part = text.length > room ? text.slice(0, room).toWellFormed() : text;
    html += pen === plainPen ? escape(part) : dressed(part, pen);
    shown += part.length;
  }
  if (link !== null) html += '</a>';
  const more = lengthOf(runs) - shown;
  return more === 0
    ? html
    : `${html}<i class="cut">… ${more.toLocaleString('en-US')} more characters, in the raw log</i>`;
}

function lengthOf(runs: readonly Run[]): number {
  let length = 0;
  for (const { text } of runs) length += text.length;
  return length;
}

let lastLink = '';
let lastOpened = '';

/** Many runs, and often many lines, are of one link. */
function opened(link: string): string {
  if (link !== lastLink) {
    lastLink = link;
    lastOpened = `<a href="${escape(link)}" rel="noreferrer nofollow ugc">`;
  }
  return lastOpened;
}

export function textOf(runs: readonly Run[]): string {
  const [only] = runs;
  if (runs.length === 1 && only !== undefined) return only.text;
  let all = '';
  for (const { text } of runs) all += text;
  return all;
}

/** The tag that text of this pen is in; empty where it needs none. */
const tags = new WeakMap<Pen, string>();

function dressed(text: string, pen: Pen): string {
  if (pen.picture !== null) {
    const { source, alternative } = pen.picture;
    return `<img src="${escape(source)}" alt="${escape(alternative)}" loading="lazy">`;
  }
  let tag = tags.get(pen);
  if (tag === undefined) {
    const attributes = attributesOf(pen);
    tags.set(pen, (tag = attributes === '' ? '' : `<b${attributes}>`));
  }
  return tag === '' ? escape(text) : `${tag}${escape(text)}</b>`;
}

const classes: readonly (readonly [number, string])[] = [
  [bold, 'sb'],
  [faint, 'sf'],
  [italic, 'si'],
  [underlined, 'su'],
  [struck, 'ss'],
];

function attributesOf({ foreground, background, styles }: Pen): string {
  const [isInverse, isFaint] = [(styles & inverse) !== 0, (styles & faint) !== 0];
  const [front, back] = isInverse ? [background, foreground] : [foreground, background];
  // What the style sheet has a class for, and makes faint itself.
  const isOfSheet = back === usual && (front === usual || (front < 16 && !isInverse));
  const names = classes.flatMap(([bit, name]) => ((styles & bit) === 0 || (bit === faint && !isOfSheet) ? [] : [name]));
  const rules: string[] = [];
  const ground = back === usual ? (isInverse ? ink : selected) : colorOf(back);
  if (!isOfSheet) {
    const color = front === usual ? (isInverse ? panel : ink) : colorOf(front);
    rules.push(`color:${readable(isFaint ? faded(color, ground) : color, ground)}`);
  } else if (front !== usual) names.push(`f${front}`);
  else if (isInverse) names.push('fi');
  if (back !== usual) rules.push(`background:${hex(ground)}`);
  else if (isInverse) names.push('bi');
  const ofClass = names.length === 0 ? '' : ` class="${names.join(' ')}"`;
  return rules.length === 0 ? ofClass : `${ofClass} style="${rules.join(';')}"`;
}

let lastSecond = Number.NaN;
let lastAttribute = '';

/** `12:34:56`, UTC. Many lines are printed within one second. */
function timeAttribute(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastAttribute = ` data-t="${new Date(time).toISOString().slice(-13, -5)}"`;
  }
  return lastAttribute;
}
