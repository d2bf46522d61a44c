/** What retention has removed of a build: what a run counts, and what the audit tells. */
import type { JobRecord } from '../src/model.ts';
import { writeAudit } from '../src/tree/audit.ts';
import { type DropOrder, strikeOrder } from '../src/tree/dropping.ts';
import { noteDue } from '../src/tree/due.ts';
import { sweepNow } from './derived.ts';
import type { Work } from './enqueue-work.ts';
import type { Upkeep } from './upkeep.ts';

/** Of a build that the policy would remove: why it does not go, for people, and in a word. */
export interface Kept {
  readonly kind: 'pinned' | 'unsettled' | 'latest' | 'unreadable' | 'changed' | 'foreign';
  readonly text: string;
}

/** What of it went; also where the rest is kept: `kept` says why. */
export interface Dropped extends Counted {
  readonly kept: Kept | null;
}

interface Counted {
  readonly artifacts: number;
  readonly logs: number;
  readonly bytes: number;
}

export const nothing: Counted = { artifacts: 0, logs: 0, bytes: 0 };

export function count(records: Iterable<JobRecord>, { parts }: DropOrder): Counted {
  const total = { artifacts: 0, logs: 0, bytes: 0 };
  const takes = (part: 'artifacts' | 'logs'): boolean => parts.includes(part) || parts.includes('build');
  for (const { artifacts, log } of records) {
    const gone = takes('artifacts') ? artifacts.filter(({ state }) => state === 'present') : [];
    total.artifacts += gone.length;
    total.bytes += gone.reduce((sum, { size }) => sum + size, 0);
    if (log?.state !== 'present' || !takes('logs')) continue;
    total.logs += 1;
    total.bytes += log.size;
  }
  return total;
}

/** All is done. */
export async function noteRemoval(
  { paths }: Upkeep,
  order: DropOrder,
  { artifacts, logs, bytes }: Counted,
): Promise<void> {
  const { organization, pipeline, number, build, parts, text } = order;
  const line = { organization, pipeline, number, build, what: parts.join(', '), files: artifacts + logs, bytes };
  // Whoever comes after a crash finds no order and so nothing of this, but must know that the bytes are still there.
  noteDue(paths, sweepNow);
  await writeAudit(paths, { action: 'drop', ...line, reason: text });
  strikeOrder(paths, build);
}

export function workOf({ organization, pipeline, number, build, pipelineId }: DropOrder): Work {
  return { organization, pipeline, number, build, pipelineId };
}
