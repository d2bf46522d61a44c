/** What was removed, who came in, who was refused, and why: one JSON object a line, on disk before it is called done. */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataPaths } from './paths.ts';

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
    | 'revoke';
  readonly organization?: string;
  readonly pipeline?: string;
  readonly number?: number;
  readonly build?: string;
  readonly sha256?: string;
  /** What of it, and how much that was. */
  readonly what?: string;
  /** Of identity: as whom, by whose word, by which session, exchange, link or token. */
  readonly who?: string;
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
