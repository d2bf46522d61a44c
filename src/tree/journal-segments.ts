/**
 * The journal's files: `<sequence number>.jsonl`, one accepted hint a line. A segment is written by one process, from
 * its beginning, and never again after a fault; so only the end of a segment can be torn, and what is torn was never
 * acknowledged. While it is written, and where its writer was killed, zeros follow its last line.
 */
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Hint } from '../model.ts';

/** A place between two lines: `offset` bytes into segment number `segment`. */
export const Position = z.object({ segment: z.int().min(0), offset: z.int().min(0) });
export type Position = z.infer<typeof Position>;

/** What is whole and on disk of a segment. */
export interface Segment {
  readonly number: number;
  bytes: number;
  entries: number;
  /** When the newest entry was heard (ms since 1970). */
  newestAt: number;
}

export interface Line {
  /** Just behind the line. */
  readonly position: Position;
  /** null: not a hint. */
  readonly hint: Hint | null;
}

const chunkBytes = 1024 * 1024;
const newline = 0x0a;

export function isBefore(left: Position, right: Position): boolean {
  return left.segment < right.segment || (left.segment === right.segment && left.offset < right.offset);
}

export function segmentFile(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(10, '0')}.jsonl`);
}

/** @returns the numbers of the segments that are there, oldest first */
export async function listSegments(folder: string): Promise<number[]> {
  const numbers = (await readdir(folder)).map((name) => /^(\d{10})\.jsonl$/.exec(name)?.[1]);
  return numbers
    .filter((digits) => digits !== undefined)
    .map(Number)
    .toSorted((left, right) => left - right);
}

export function formatLine(delivery: string, hint: Hint): string {
  return `${JSON.stringify({ delivery, ...hint })}\n`;
}

/** Looks through a segment of an earlier process. Its torn end, if it has one, does not count. */
export async function surveySegment(folder: string, number: number): Promise<Segment> {
  const segment: Segment = { number, bytes: 0, entries: 0, newestAt: 0 };
  for (;;) {
    const whole = await readWhole(folder, number, segment.bytes, Number.MAX_SAFE_INTEGER, chunkBytes);
    if (whole.length === 0) return segment;
    segment.bytes += whole.length;
    for (let at = whole.indexOf(newline); at !== -1; at = whole.indexOf(newline, at + 1)) segment.entries += 1;
    segment.newestAt = Math.max(segment.newestAt, newestIn(whole));
  }
}

/** Entries stand in the order in which they were heard: the last of these lines that is one is the newest. */
function newestIn(whole: Buffer): number {
  for (let end = whole.length - 1; end >= 0; ) {
    const start = end === 0 ? 0 : whole.lastIndexOf(newline, end - 1) + 1;
    const hint = parseLine(whole.toString('utf8', start, end));
    if (hint !== null) return hint.heardAt;
    end = start - 1;
  }
  return 0;
}

/** The whole lines between two offsets of a segment; about `maxBytes` of them, but always one if there is one. */
export async function readLines(
  folder: string,
  number: number,
  from: number,
  to: number,
  maxBytes: number,
): Promise<Line[]> {
  const whole = await readWhole(folder, number, from, to, maxBytes);
  const lines: Line[] = [];
  for (let start = 0; start < whole.length; ) {
    const end = whole.indexOf(newline, start);
    const hint = parseLine(whole.toString('utf8', start, end));
    start = end + 1;
    lines.push({ position: { segment: number, offset: from + start }, hint });
  }
  return lines;
}

async function readWhole(folder: string, number: number, from: number, to: number, maxBytes: number): Promise<Buffer> {
  const handle = await open(segmentFile(folder, number), 'r');
  try {
    for (let size = Math.min(maxBytes, to - from); ; size = Math.min(2 * size, to - from)) {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafe(size), position: from });
      const whole = buffer.subarray(0, buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1);
      if (whole.length > 0 || bytesRead < size || size === to - from) return whole;
    }
  } finally {
    await handle.close();
  }
}

function parseLine(text: string): Hint | null {
  try {
    return Hint.safeParse(JSON.parse(text)).data ?? null;
  } catch (fault) {
    if (fault instanceof SyntaxError) return null;
    throw fault;
  }
}
