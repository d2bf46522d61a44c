/**
 * Refused logins and exchanges on record, within bounds: anybody may send what does not hold, as often as they like, and
 * must not push out of the audit what others did. What is beyond the bounds is counted; the access log has each.
 */
import { type Log, logError } from '../log.ts';
import { type AuditLine, writeAudit } from '../tree/audit.ts';
import type { DataPaths } from '../tree/paths.ts';

/** Lines within one window. */
const most = { ofAddress: 60, ofAll: 300 };

export type RefusalRecord = (line: AuditLine & { readonly address: string }) => Promise<void>;

/** @param windowMs begins with the first refusal; at its end one line tells how many were only counted */
export function refusalRecord(paths: DataPaths, log: Log, windowMs = 60_000): RefusalRecord {
  let written = new Map<string, number>();
  let [total, counted, isOpen] = [0, 0, false];

  function close(): void {
    const more = counted;
    written = new Map();
    [total, counted, isOpen] = [0, 0, false];
    if (more === 0) return;
    const reason = `${more} more were refused within a minute; the access log has each of them`;
    writeAudit(paths, { action: 'refusal', reason }).catch((thrown: unknown) =>
      logError(log, thrown, 'refusals could not be put on record'),
    );
  }

  return async (line) => {
    if (!isOpen) setTimeout(close, windowMs).unref();
    isOpen = true;
    const before = written.get(line.address) ?? 0;
    if (before >= most.ofAddress || total >= most.ofAll) {
      counted += 1;
      return;
    }
    written.set(line.address, before + 1);
    total += 1;
    await writeAudit(paths, line);
  };
}
