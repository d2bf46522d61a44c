/**
 * Names of files in staging/. They tell whose they are, so that what a dead process left can be removed at the next
 * start and what a live one works on is left alone.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { DataPaths } from './paths.ts';

/**
 * `<host>-<pid>-<of this life>.<count>.part`; a process id is given out again, so a life has a number of its own, and so
 * has each thread.
 */
const life = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
let count = 0;
const named = /^(?<host>.+)-(?<pid>\d+)-[0-9a-f]{8}\.[0-9a-f]{16}\.part$/;

export function temporaryFile(paths: Pick<DataPaths, 'stagingFile'>): string {
  count += 1;
  return paths.stagingFile(`${life}.${count.toString(16).padStart(16, '0')}.part`);
}

/** How a file of the data folder's own is written, so that nothing is left beside it by a writer that was killed. */
export function throughStaging(paths: Pick<DataPaths, 'stagingFile'>): { temporary: string; makesFolder: true } {
  return { temporary: temporaryFile(paths), makesFolder: true };
}

/** @returns null for a name that is not of this form */
export function ownerOf(name: string): { readonly host: string; readonly pid: number } | null {
  const groups = named.exec(name)?.groups;
  return groups === undefined ? null : { host: groups['host'] ?? '', pid: Number(groups['pid']) };
}
