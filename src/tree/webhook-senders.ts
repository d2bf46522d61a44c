/**
 * state/webhook-senders: the addresses that Buildkite last published as those of its webhooks, a range a line. Lighttpd
 * reads it too (lighttpd/reach.lua). It stays until there is a new list, however old it becomes.
 */
import { readIfPresent, writeAtomic, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';
import { throughStaging } from './temporary.ts';

const [first, last] = ['kitemirror-webhook-senders 1', 'end'];

export interface PublishedSenders {
  readonly ranges: readonly string[];
  /** ms since 1970 */
  readonly readAt: number;
}

/** @returns null where there never was a list, or none that can be read */
export async function readSenders(paths: DataPaths): Promise<PublishedSenders | null> {
  const text = await readIfPresent(paths.webhookSenders);
  const readAt = writtenAt(paths.webhookSenders);
  const lines = text?.split('\n') ?? [];
  if (readAt === null || lines[0] !== first || lines.at(-2) !== last) return null;
  return { ranges: lines.slice(1, -2), readAt };
}

/** @param ranges each with its length of bits */
export async function writeSenders(paths: DataPaths, ranges: readonly string[]): Promise<void> {
  await writeAtomic(paths.webhookSenders, `${[first, ...ranges, last].join('\n')}\n`, throughStaging(paths));
}
