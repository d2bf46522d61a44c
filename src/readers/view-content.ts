/** The content of one artifact as its page shows it, by its kind. */
import { formatBytes } from '../pages/format.ts';
import { Html, html } from '../pages/html.ts';
import { segment } from '../pages/links.ts';
import type { Unfit } from '../pages/markup-renderer.ts';
import { renderCoverage } from '../pages/view-coverage.ts';
import { renderMedia } from '../pages/view-media.ts';
import { renderTests } from '../pages/view-tests.ts';
import { renderText } from '../pages/view-text.ts';
import { isText, type Kind, kindOf } from '../reports/kind.ts';
import { maxXmlBytes } from '../reports/xml.ts';
import { readPart } from '../tree/read-part.ts';
import { notFound } from './address.ts';
import type { ReaderParts } from './parts.ts';
import { ownPath, type Shown, type ShownFile } from './shown.ts';
import { testsOf } from './tests.ts';

const MiB = 1024 * 1024;
/** What is read as a whole, by kind; larger files are shown as text. */
const wholeUpTo: Partial<Record<Kind, number>> = {
  markdown: MiB / 2,
  json: 2 * MiB,
  xml: maxXmlBytes,
  lcov: maxXmlBytes,
};
const textWindow = MiB / 2;
/** Lines of one part: short ones are many. */
const textLines = 20_000;

const unfitMeaning: Readonly<Record<Unfit, string>> = {
  costly: 'Shown as text: to lay it out takes more time or memory than a page may have.',
  unreadable: 'Shown as text: this is no JSON that can be read.',
};

/** Where a part of a text begins. */
export interface AskedPart {
  /** Bytes from the file's start. */
  readonly at: number;
  readonly firstLine: number;
}

export interface Content {
  readonly content: Html;
  readonly notice?: string | null;
  /** Whether it depends on this file alone. */
  readonly keeps: boolean;
  readonly wide?: boolean;
}

export async function contentOf(
  parts: ReaderParts,
  shown: Shown,
  file: ShownFile,
  part: AskedPart | null,
): Promise<Content> {
  const name = shown.tail.at(-1) ?? '';
  const kind = kindOf(name);
  const media = renderMedia(kind, segment(name), name);
  if (media !== null) return { content: media, keeps: true };
  if (kind === 'binary') return { content: unseen('This kind of file is not shown here.'), keeps: true };
  const most = wholeUpTo[kind];
  const isWhole = most !== undefined && file.size <= most && part === null;
  if (!isWhole) {
    const notice =
      most !== undefined && file.size > most
        ? `Shown as text: of this kind, a page reads up to ${formatBytes(most)}.`
        : null;
    return { ...(await textOf(parts, shown, file, part)), notice };
  }
  const whole = await readPart(parts.paths.shown(shown.place, file.path), 0, most);
  if (whole === null) throw notFound();
  const text = new TextDecoder().decode(whole.bytes);
  if (kind === 'markdown' || kind === 'json') {
    const content = await parts.markup.render(kind, text);
    if (content instanceof Html) return { content, keeps: true };
    const asText = await textOf(parts, shown, file, part);
    // What was costly may fit another time, which may be a better one.
    return { ...asText, notice: unfitMeaning[content], keeps: asText.keeps && content !== 'costly' };
  }
  const opening = text.slice(0, 65_536);
  if (kind === 'xml' && /<testsuites?[\s>]/.test(opening)) {
    const tests = await testsIn(parts, shown, file);
    if (tests !== null) return tests;
  }
  const format = kind === 'lcov' ? 'lcov' : kind === 'xml' && /<coverage[\s>]/.test(opening) ? 'cobertura' : null;
  const coverage = format === null ? null : await parts.reports.coverage(format, whole.bytes);
  if (coverage !== null) return { content: renderCoverage(coverage), keeps: true };
  return textOf(parts, shown, file, part);
}

/** A test report is shown with those of the other attempts. @returns null where nothing can be read of it */
async function testsIn(parts: ReaderParts, shown: Shown, file: ShownFile): Promise<Content | null> {
  const own = ownPath(file.path);
  const tests = await testsOf(
    parts,
    shown,
    '../'.repeat(shown.tail.length - 1),
    new Set([file.job]),
    (path) => path === own,
  );
  return tests.rows.length === 0 ? null : { content: renderTests(tests), keeps: false };
}

async function textOf(parts: ReaderParts, shown: Shown, file: ShownFile, asked: AskedPart | null): Promise<Content> {
  const { at, firstLine } = asked ?? { at: 0, firstLine: 1 };
  const part = await readPart(parts.paths.shown(shown.place, file.path), at, textWindow);
  if (part === null) throw notFound();
  if (!isText(part.bytes, at + part.bytes.length < part.size))
    return { content: unseen('This file is not text.'), keeps: true };
  const isEnd = at + part.bytes.length >= part.size;
  const bytes = part.bytes.subarray(0, endOfPart(part.bytes, isEnd));
  const text = new TextDecoder().decode(bytes);
  const next = at + bytes.length >= part.size ? null : at + bytes.length;
  return {
    content: renderText({ text, at, firstLine, next }, segment(shown.tail.at(-1) ?? '')),
    keeps: true,
    wide: true,
  };
}

/** Behind a line's end, and not beyond so many lines. @param isEnd whether the file ends with these bytes */
function endOfPart(bytes: Uint8Array, isEnd: boolean): number {
  let end = 0;
  for (let lines = 0; lines < textLines; lines += 1) {
    const found = bytes.indexOf(10, end);
    // Of a line longer than a part this is all that there is.
    if (found === -1) return isEnd ? bytes.length : end === 0 ? beforeLast(bytes) : end;
    end = found + 1;
  }
  return end;
}

/** Before the last character, which may go on behind these bytes: a part that begins within one is not text. */
function beforeLast(bytes: Uint8Array): number {
  let end = bytes.length - 1;
  // Bytes within a character begin with the bits 10.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

export function unseen(message: string): Html {
  return html`<div class="card listing empty">${message}</div>`;
}
