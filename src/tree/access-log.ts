/** Who was sent a file: from Lighttpd's access log and what was rotated from it. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { listFolder } from './files.ts';
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
}

/** @param urls decoded paths · @returns requests that were answered with bytes, the oldest log first */
export async function findReadings(paths: DataPaths, urls: ReadonlySet<string>): Promise<Reading[]> {
  const readings: Reading[] = [];
  const names = (await listFolder(paths.logs)).map(({ name }) => name).filter((name) => name.startsWith('access.log'));
  for (const name of names.toSorted().toReversed()) {
    const file = createReadStream(join(paths.logs, name));
    const input = name.endsWith('.gz') ? file.pipe(createGunzip()) : file;
    for await (const line of createInterface({ input })) {
      const reading = readingOf(line, urls);
      if (reading !== null) readings.push(reading);
    }
  }
  return readings.toSorted((left, right) => (left.ts < right.ts ? -1 : Number(left.ts > right.ts)));
}

function readingOf(line: string, urls: ReadonlySet<string>): Reading | null {
  const entry = parse(line);
  if (entry === null) return null;
  const { ts, ip, url, status, bytes, user_agent: agent, user, who } = entry;
  // 304: the reader had it already.
  if (typeof url !== 'string' || ![200, 206, 304].includes(Number(status)) || !urls.has(decoded(url))) return null;
  const name = [who, user].map(text).find((each) => each !== '' && each !== '-');
  return {
    ts: text(ts),
    ip: text(ip),
    who: name ?? null,
    url,
    status: Number(status),
    bytes: text(bytes),
    user_agent: text(agent),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // Cut by a full disk or a kill: a line is one request at the most.
    return null;
  }
}

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    return url;
  }
}
