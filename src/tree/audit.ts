/** What was removed, when, and why: one JSON object a line, on disk before the removal is called done. */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataPaths } from './paths.ts';

export interface AuditLine {
  readonly action: 'drop' | 'purge' | 'pin' | 'unpin' | 'quarantine';
  readonly organization?: string;
  readonly pipeline?: string;
  readonly number?: number;
  readonly build?: string;
  readonly sha256?: string;
  /** What of it, and how much that was. */
  readonly what?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly reason: string;
}

export async function writeAudit(paths: DataPaths, line: AuditLine, now: Date = new Date()): Promise<void> {
  await mkdir(paths.audit, { recursive: true });
  const time = now.toISOString();
  const handle = await open(join(paths.audit, `${time.slice(0, 7)}.jsonl`), 'a', 0o600);
  try {
    await handle.appendFile(`${JSON.stringify({ time, ...line })}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
