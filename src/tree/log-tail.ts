/** The end of a running job's log as it was when somebody last watched it. Written by tail-log, and gone once the log is mirrored. */
import { z } from 'zod';
import { readIfPresent, writeDerived } from './files.ts';
import type { DataPaths, Place } from './paths.ts';

export const LogTail = z.object({
  version: z.literal(1),
  /** When upstream was asked, and when that last brought something new (ISO 8601). */
  read_at: z.string(),
  grown_at: z.string(),
  /** The job's, as far as it is known. */
  state: z.string(),
  ended: z.boolean(),
  /** Of the whole log, in bytes; `start`: where `content` begins in it, at the beginning of a line. */
  size: z.number(),
  start: z.number(),
  content: z.string(),
  /** Why it could not be read the last time. */
  trouble: z.string().nullable(),
});
export type LogTail = z.infer<typeof LogTail>;

const everyMs = 5000;
const seldomMs = 30_000;

/** Whether it may be read anew: of a log that has been silent for long, more and more seldom; never after the job's end. */
export function isTailDue(tail: LogTail | null, now: number): boolean {
  if (tail === null) return true;
  if (tail.ended) return false;
  const [read, grown] = [Date.parse(tail.read_at), Date.parse(tail.grown_at)];
  const restMs = Math.min(seldomMs, Math.max(everyMs, (read - grown) / 2));
  // A clock that was set back must not keep it from being read.
  return Math.abs(now - read) >= restMs;
}

/** @returns null where nobody watched yet, or where it is none of this version's */
export async function readLogTail(paths: DataPaths, place: Place, job: string): Promise<LogTail | null> {
  const text = await readIfPresent(paths.logTail(place, job));
  if (text === null) return null;
  try {
    return LogTail.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function writeLogTail(paths: DataPaths, place: Place, job: string, tail: LogTail): Promise<void> {
  await writeDerived(paths, paths.logTail(place, job), JSON.stringify(tail));
}
