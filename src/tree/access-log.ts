/** Who was sent a file: from Lighttpd's access log and what was rotated from it. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { listFolder } from './files.ts';
import { type JsonLine, jsonLines, type OnFault } from './json-lines.ts';
import type { DataPaths } from './paths.ts';

export interface Reading {
  readonly ts: string;
  readonly ip: string;
  /** null where the log names nobody. */
  readonly who: string | null;
  readonly url: string;
  readonly status: number;
  readonly bytes: string;
  readonly user_agent: string;
  /** false: something else may have been there then. */
  readonly sure: boolean;
}

/**
 * Every entry of the access log, the oldest part first; an entry is written when its answer has ended.
 * @param from `since`, ms since 1970: parts that were last written before it are not opened
 */
export async function* accessEntries(
  paths: DataPaths,
  { since = 0, onFault }: { readonly since?: number; readonly onFault?: OnFault } = {},
): AsyncGenerator<JsonLine> {
  const parts = (await partsOf(paths)).filter(({ at }) => at >= since);
  for (const { inode } of parts.toSorted((left, right) => left.at - right.at)) {
    // By its inode: it may have been rotated to another name since it was listed. Gone, it was the oldest.
    const found = (await partsOf(paths)).find((part) => part.inode === inode);
    if (found !== undefined) yield* jsonLines(found.file, onFault);
  }
}

async function partsOf({ logs }: DataPaths): Promise<{ file: string; inode: number; at: number }[]> {
  const names = (await listFolder(logs)).map(({ name }) => name).filter((name) => name.startsWith('access.log'));
  return names.flatMap((name) => {
    const file = join(logs, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ file, inode: stat.ino, at: stat.mtimeMs }];
  });
}

/**
 * @param urls decoded paths where these files are · @param earlier where they may have been before
 * @returns requests that were answered with these files' bytes, or may have been, the oldest first
 */
export async function findReadings(
  paths: DataPaths,
  urls: ReadonlySet<string>,
  earlier: ReadonlySet<string>,
): Promise<Reading[]> {
  const [now, before] = [asked(urls), asked(earlier)];
  const readings: Reading[] = [];
  for await (const entry of accessEntries(paths)) {
    const isSure = now(entry);
    const reading = isSure || before(entry) ? readingOf(entry, isSure) : null;
    if (reading !== null) readings.push(reading);
  }
  return readings.toSorted((left, right) => (left.ts < right.ts ? -1 : Number(left.ts > right.ts)));
}

function asked(urls: ReadonlySet<string>): (entry: JsonLine) => boolean {
  const folders = new Set(Array.from(urls).flatMap(foldersOf));
  return ({ url, query }) => {
    const path = typeof url === 'string' ? decodedPath(url) : '';
    return urls.has(path) || (folders.has(path) && typeof query === 'string' && holdsFiles.test(query));
  };
}

/** What is asked of a folder and answered with what is in its files: all of them in an archive, what its reports say. */
const holdsFiles = /(^|&)(archive|tests)(=|&|$)/;

/** The folders of artifacts that a file is in. */
function foldersOf(url: string): string[] {
  const found: string[] = [];
  for (let at = url.lastIndexOf('/'); url.includes('/artifacts/') && at > 0; at = url.lastIndexOf('/', at - 1)) {
    const folder = url.slice(0, at + 1);
    if (!folder.includes('/artifacts/')) break;
    found.push(folder);
  }
  return found;
}

function readingOf(entry: JsonLine, isSure: boolean): Reading | null {
  const { ts, ip, url, status, bytes, user_agent: agent, subject } = entry;
  // 304: the reader had it already.
  if (typeof url !== 'string' || ![200, 206, 304].includes(Number(status))) return null;
  return {
    ts: loggedText(ts) ?? '',
    ip: loggedText(ip) ?? '',
    who: loggedText(subject),
    url,
    status: Number(status),
    bytes: loggedText(bytes) ?? '',
    user_agent: loggedText(agent) ?? '',
    sure: isSure,
  };
}

/** Lighttpd writes "-" where there is nothing to say. */
export function loggedText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value !== '-' ? value : null;
}

export function decodedPath(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
