/** One line of a log as HTML. Every text is escaped, every colour is a class or six digits. Pure, and shared with the browser. */
import { escape } from '../escape.ts';
import { bold, faint, inverse, italic, type Pen, plainPen, rgb, struck, underlined, usual } from './pen.ts';
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

/** Of src/pages/assets/log.css: the panel, its ink, and the lightest ground that a line can have. */
const panel = 0x10151c;
const ink = 0xd7dde6;
const selected = 0x2f290e;
/** The sixteen colours on a dark ground. */
const sixteen = [
  0x6b7684, 0xff7b81, 0x6fce8a, 0xe3b55b, 0x7fb0ff, 0xd79bf2, 0x5cc8d6, 0xc9d1db, 0x8b96a5, 0xff9ea3, 0x93e2a8,
  0xf5d27a, 0xa5c8ff, 0xe8bbfb, 0x86e1ec, 0xffffff,
] as const;

/** 24 bits of red, green, blue. @see https://invisible-island.net/xterm/xterm.faq.html (256 colours) */
function colorOf(color: number): number {
  if (color >= rgb) return color - rgb;
  if (color < 16) return sixteen[color] ?? panel;
  if (color >= 232) return (8 + (color - 232) * 10) * 0x010101;
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = color - 16;
  return level(Math.floor(cube / 36)) * 65_536 + level(Math.floor(cube / 6) % 6) * 256 + level(cube % 6);
}

function faded(color: number, ground: number): number {
  const behind = channels(ground);
  const [red, green, blue] = channels(color).map((channel, at) =>
    Math.round(channel * 0.85 + (behind[at] ?? 0) * 0.15),
  );
  return join(red ?? 0, green ?? 0, blue ?? 0);
}

/** Programs choose colours for a ground that they do not know: one that cannot be read on its ground is moved until it can. */
function readable(color: number, ground: number): string {
  const isDark = luminance(ground) < 0.18;
  let [red, green, blue] = channels(color);
  // Away from nearest, or a channel would stand still before its end.
  const toward = (channel: number): number =>
    isDark ? Math.ceil(channel + (255 - channel) * 0.15) : Math.floor(channel * 0.85);
  for (let step = 0; step < 40 && contrast(join(red, green, blue), ground) < 4.5; step += 1) {
    [red, green, blue] = [toward(red), toward(green), toward(blue)];
  }
  return hex(join(red, green, blue));
}

function contrast(one: number, other: number): number {
  const [less, more] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number];
  return (more + 0.05) / (less + 0.05);
}

/** @see https://www.w3.org/TR/WCAG21/#dfn-relative-luminance */
function luminance(color: number): number {
  const [red, green, blue] = channels(color).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function channels(color: number): [number, number, number] {
  return [(color >> 16) & 255, (color >> 8) & 255, color & 255];
}

function join(red: number, green: number, blue: number): number {
  return red * 65_536 + green * 256 + blue;
}

function hex(color: number): string {
  return `#${color.toString(16).padStart(6, '0')}`;
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
