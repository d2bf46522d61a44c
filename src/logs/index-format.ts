/**
 * The index of a log: where its chunks begin, in bytes and in lines, and what a terminal must be told to begin there; its
 * groups, its pictures, the line that says why it failed. Made beside the log's page, and made again at will.
 */
import { z } from 'zod';

const whole = z.int().min(0);

export const LogIndex = z.object({
  version: z.literal(1),
  /** Of the log that it is of. */
  size: whole,
  lines: whole,
  /** Where each chunk begins in the file. Ascending; the first is 0. */
  offsets: z.array(whole),
  /** How many lines are before each chunk. */
  before: z.array(whole),
  /** By the chunk's number: sequences that set the pen it begins with; where there are none it begins plain. */
  preludes: z.record(z.string(), z.string()),
  /** By the chunk's number, where time stamps are told as differences: what the first one is counted from, ms since 1970. */
  clocks: z.record(z.string(), z.number()),
  /** Chunks in which something is written over, so that their text is not that of their bytes. */
  rewritten: z.array(whole),
  groups: z.array(
    z.object({
      line: whole,
      kind: z.enum(['-', '+', '~']),
      open: z.boolean(),
      time: z.number().nullable(),
      title: z.string(),
    }),
  ),
  /** Of the emoji in the groups' titles, by name: the character, or '' for a picture that Buildkite alone has. */
  emoji: z.record(z.string(), z.string()).default({}),
  /** Lines, from 1, that hold a picture. */
  pictures: z.array(whole),
  /** The times of the first line and of the last that have one, ms since 1970. */
  from: z.number().nullable(),
  to: z.number().nullable(),
  /** So many lines stand in the log's own page; absent of earlier ones. */
  shown: whole.optional(),
  failure: z.object({
    line: z.number().nullable(),
    decisive: z.array(z.object({ line: whole, text: z.string() })),
  }),
});
export type LogIndex = z.infer<typeof LogIndex>;
