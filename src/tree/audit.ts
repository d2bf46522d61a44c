/**
 * What was removed, who came in, who was refused, and why: one JSON object a line, on disk before it is called done. Each
 * month has a file; a full one is left as it is and the next part begun (`2026-11.jsonl`, `2026-11.2.jsonl`, …). Nothing is
 * renamed, so that any number of programs can write at once and no line is lost.
 */
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { unlinkFile } from './blobs.ts';
import { namesIn } from './files.ts';
import { makeOwnedFolder, ownerBelow } from './owner.ts';
import type { DataPaths } from './paths.ts';

/** Where the next part of a month begins. */
export const auditPartBytes = 8 * 1024 * 1024;

export interface AuditLine {
  readonly action:
    | 'drop'
    | 'purge'
    | 'pin'
    | 'unpin'
    | 'quarantine'
    | 'login'
    | 'logout'
    | 'exchange'
    | 'link'
    | 'refusal'
    | 'token'
    | 'revoke'
    | 'trim'
    | 'command'
    | 'policy'
    | 'retry'
    | 'sweep';
  readonly organization?: string;
  readonly pipeline?: string;
  readonly number?: number;
  readonly build?: string;
  readonly sha256?: string;
  /** What of it, and how much that was. */
  readonly what?: string;
  /** Of identity: as whom, by whose word, by which session, exchange, link or token. */
  readonly who?: string;
  /** The operating system's user who ran a command. */
  readonly by?: string;
  readonly issuer?: string;
  readonly id?: string;
  /** All that the identity provider said. */
  readonly claims?: unknown;
  readonly address?: string;
  /** The request's id, as the access log has it. */
  readonly request?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly reason: string;
}

export async function writeAudit(paths: DataPaths, line: AuditLine, now: Date = new Date()): Promise<void> {
  await makeOwnedFolder(paths.root, paths.audit);
  const time = now.toISOString();
  const handle = await open(join(paths.audit, partFor(auditParts(paths), time.slice(0, 7))), 'a', 0o600);
  try {
    const owner = ownerBelow(paths.root);
    if (owner !== null) await handle.chown(owner.uid, owner.gid);
    await handle.appendFile(`${JSON.stringify({ time, ...line })}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

interface AuditPart {
  readonly name: string;
  /** `2026-11` */
  readonly month: string;
  readonly index: number;
  readonly bytes: number;
}

/** The oldest first. */
export function auditParts(paths: Pick<DataPaths, 'audit'>): AuditPart[] {
  const parts = namesIn(paths.audit).flatMap((name): AuditPart[] => {
    const [, month, index = '1'] = /^(\d{4}-\d\d)(?:\.(\d{1,6}))?\.jsonl$/.exec(name) ?? [];
    const stat = month === undefined ? undefined : statSync(join(paths.audit, name), { throwIfNoEntry: false });
    return month === undefined || stat === undefined ? [] : [{ name, month, index: Number(index), bytes: stat.size }];
  });
  return parts.toSorted((left, right) => left.month.localeCompare(right.month) || left.index - right.index);
}

function partFor(parts: readonly AuditPart[], month: string): string {
  const last = parts.findLast((part) => part.month === month);
  if (last === undefined) return `${month}.jsonl`;
  return last.bytes < auditPartBytes ? last.name : `${month}.${last.index + 1}.jsonl`;
}

/**
 * Removes the oldest parts until the rest takes no more than this; the one that is written to stays. What went is on record.
 * @param maxBytes null: nothing is removed
 */
export async function trimAudit(paths: DataPaths, maxBytes: number | null): Promise<void> {
  if (maxBytes === null) return;
  const parts = auditParts(paths);
  let total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { name, bytes } of parts.slice(0, -1)) {
    if (total <= maxBytes) return;
    unlinkFile(join(paths.audit, name));
    total -= bytes;
    await writeAudit(paths, { action: 'trim', what: name, bytes, reason: 'the audit was larger than it may be' });
  }
}
