/** A file system of a few megabytes, to be filled, or to be another than the one beside it. Only root may have one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/**
 * @param size as mount has it: `1m`
 * @returns its folder; null, and the test is skipped, where it cannot be had
 */
export function smallDisk(t: Pick<TestContext, 'after' | 'skip'>, size: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    t.skip('a small file system can only be mounted by root');
    return null;
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
