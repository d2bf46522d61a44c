/** A folder of artifacts as one zip file: its length is known, ranges and resumed downloads work, each reader has few at once. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import type { Request, Response } from 'express';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { JobRecord } from '../model.ts';
import { readBytes } from '../tree/files.ts';
import { type DataPaths, fileOf, type Place, stepFolder } from '../tree/paths.ts';
import type { Views } from '../tree/records.ts';
import { layZip, type Zip, type ZipFile } from '../tree/zip.ts';
import { notFound } from './address.ts';
import { readerNow } from './caller.ts';
import { addressOf } from './guard.ts';
import type { ReaderParts } from './parts.ts';

export interface ArchivedFile {
  readonly name: string;
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
  /** Eight hexadecimal digits; a record of before there were any has none. */
  readonly crc32: string | null;
}

export interface Archive {
  /** What the downloaded file is called, without its extension. */
  readonly name: string;
  readonly files: readonly ArchivedFile[];
}

/** How many one reader may be sent at the same time, and all together. */
const [mostForOne, mostForAll] = [3, 24];
const sending = new Map<string, number>();

export function archiveOfView(paths: DataPaths, place: Place, views: Views, tail: readonly string[]): Archive {
  const [top, step, ...rest] = tail;
  const below = top === 'artifacts' ? tail.slice(1) : rest.slice(1);
  if (top !== 'artifacts' && rest[0] !== 'artifacts')
    throw notFound('only folders of artifacts can be had as an archive');
  const key = Object.keys(views.steps).find((each) => stepFolder(each) === step) ?? '';
  const entries = top === 'artifacts' ? views.merged : (views.steps[key] ?? []);
  const files = entries.map(({ path, job, size, sha256, crc32 }) => ({
    name: path,
    file: paths.jobFile(place, job, `artifacts/${path}`),
    size,
    sha256,
    crc32: crc32 ?? null,
  }));
  return archiveOf(place, files, below);
}

/** @param tail below the job's folder */
export function archiveOfJob(paths: DataPaths, place: Place, job: JobRecord, tail: readonly string[]): Archive {
  if (tail[0] !== 'artifacts') throw notFound('only folders of artifacts can be had as an archive');
  const files = job.artifacts.flatMap(({ state, url, size, sha256, crc32 }) => {
    const path = state === 'present' ? fileOf({ url }) : null;
    if (path === null || sha256 === null || !path.startsWith('artifacts/')) return [];
    const name = path.slice('artifacts/'.length);
    return [{ name, file: paths.jobFile(place, job.id, path), size, sha256, crc32: crc32 ?? null }];
  });
  return archiveOf(place, files, tail.slice(1));
}

function archiveOf({ folder, number }: Place, files: readonly ArchivedFile[], below: readonly string[]): Archive {
  const prefix = below.map((part) => `${part}/`).join('');
  const within = files.filter(({ name }) => name.startsWith(prefix));
  const last = below.at(-1) ?? 'artifacts';
  return {
    name: `${folder}-${number}-${last}`,
    files: within.map((file) => ({ ...file, name: file.name.slice(prefix.length) })),
  };
}

/** @throws MirrorError ERR_NOT_FOUND for no files, ERR_READER_BUSY, ERR_RANGE_UNSATISFIABLE */
export async function sendArchive(
  { log }: Pick<ReaderParts, 'log'>,
  { name, files }: Archive,
  request: Request,
  response: Response,
): Promise<void> {
  if (files.length === 0) throw notFound('there are no files in this folder');
  const tag = createHash('sha256');
  for (const file of files) tag.update(`${file.name}\0${file.sha256}\n`);
  const etag = `"${tag.digest('base64url')}"`;
  if (request.get('if-none-match')?.includes(etag) === true) {
    response.status(304).set({ 'Cache-Control': 'no-cache', ETag: etag }).end();
    return;
  }
  // Before the sums, which may take longer than the bytes.
  const leave = enter(request);
  try {
    const summed = await withSums(files, response);
    if (summed !== null) await sendZip(log, { name, etag, zip: layZip(summed, new Date(0)) }, request, response);
  } finally {
    leave();
  }
}

async function sendZip(
  log: Log,
  { name, etag, zip }: { readonly name: string; readonly etag: string; readonly zip: Zip },
  request: Request,
  response: Response,
): Promise<void> {
  response.set({
    'Accept-Ranges': 'bytes',
    'Cache-Control': 'no-cache',
    'Content-Disposition': `attachment; filename="archive.zip"; filename*=UTF-8''${encodeURIComponent(name)}.zip`,
    'Content-Type': 'application/zip',
    ETag: etag,
  });
  const condition = request.get('if-range');
  const range = condition === undefined || condition === etag ? rangeOf(request.get('range'), zip.size) : null;
  if (range === 'none') {
    response.set('Content-Range', `bytes */${zip.size}`);
    throw new MirrorError('ERR_RANGE_UNSATISFIABLE', 'the archive ends before the range that was asked for');
  }
  const [from, to] = range ?? [0, zip.size - 1];
  response.status(range === null ? 200 : 206).set('Content-Length', String(to - from + 1));
  if (range !== null) response.set('Content-Range', `bytes ${from}-${to}/${zip.size}`);
  if (request.method === 'HEAD') return void response.end();
  try {
    await pipeline(Readable.from(zip.read(from, to), { objectMode: false }), response);
  } catch (thrown) {
    // Whoever goes away in the middle is no fault; a file that went away is one, and the broken length tells the reader.
    if (!response.req.socket.destroyed)
      log.warn({ archive: name, reason: String(thrown) }, 'an archive was not sent whole');
    response.destroy();
  }
}

/** One file after the other: old records have no sums, and a folder may have thousands of files. @returns null where nobody waits */
async function withSums(files: readonly ArchivedFile[], response: Response): Promise<ZipFile[] | null> {
  const summed: ZipFile[] = [];
  for (const { name, file, size, crc32: known } of files) {
    if (response.destroyed) return null;
    summed.push({ name, file, size, crc32: known === null ? await sumOf(file) : Number.parseInt(known, 16) });
  }
  return summed;
}

async function sumOf(file: string): Promise<number> {
  let sum = 0;
  for await (const chunk of readBytes(file)) sum = crc32(chunk, sum);
  return sum;
}

/** One range of bytes; several, or another unit, are answered as if none were asked for. */
function rangeOf(header: string | undefined, size: number): [number, number] | 'none' | null {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || first + last === '') return null;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(size - 1, Number(last));
  return from > to ? 'none' : [from, to];
}

/** Somebody is one reader from wherever they ask, and those behind one address are several; nobody in particular is an address. */
function readerOf(request: Request): string {
  const reader = readerNow();
  return reader === 'open' || reader.subject === null ? addressOf(request) : `subject ${reader.subject}`;
}

/** @returns to be called when the reader has it. @throws MirrorError ERR_READER_BUSY */
function enter(request: Request): () => void {
  const reader = readerOf(request);
  const mine = sending.get(reader) ?? 0;
  const all = [...sending.values()].reduce((sum, count) => sum + count, 0);
  if (mine >= mostForOne || all >= mostForAll) {
    throw new MirrorError(
      'ERR_READER_BUSY',
      `${mine >= mostForOne ? mostForOne : mostForAll} archives are on their way; try again when one is done`,
    );
  }
  sending.set(reader, mine + 1);
  return () => {
    const left = (sending.get(reader) ?? 1) - 1;
    if (left === 0) sending.delete(reader);
    else sending.set(reader, left);
  };
}
