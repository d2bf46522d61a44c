/**
 * One process alone may write a folder. The lock is the kernel's (SQLite's own, as Node has no flock), so it ends with
 * its process however that ends: no file of a dead process, and no process id that another has now, keeps a start back.
 */
import { DatabaseSync } from 'node:sqlite';

/** @returns null while another holds it. @param file made when absent; its folder must be there */
export function takeLock(file: string): { release(): void } | null {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    // No file for a rollback: nothing is ever written, and the lock works on a full disk too.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (thrown) {
    db.close();
    if (isBusy(thrown)) return null;
    throw thrown;
  }
  return { release: () => db.close() };
}

const sqliteBusy = 5;

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === sqliteBusy;
}
