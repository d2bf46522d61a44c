/**
 * Zip archives of stored files, made while they are sent: nothing is compressed, each file's CRC-32 is in its record,
 * so the layout is known before the first byte, and with it the length and every range.
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3; 4.5.3 for ZIP64)
 */
import { open } from 'node:fs/promises';
import { MirrorError } from '../errors.ts';

export interface ZipFile {
  /** In the archive, parts by `/`. */
  readonly name: string;
  readonly size: number;
  readonly crc32: number;
  /** On the disk. */
  readonly file: string;
}

export interface Zip {
  readonly size: number;
  /** The bytes from `from` up to and including `to`. @throws MirrorError ERR_TREE_MOVED when a file has changed */
  read(from: number, to: number): AsyncGenerator<Buffer>;
}

const max32 = 0xffff_ffff;
const max16 = 0xffff;
const [utf8Names, unix] = [0x0800, 3 << 8];
const regularFile = 0o100644;
const chunkBytes = 256 * 1024;
const joinBytes = 64 * 1024;

interface Entry extends ZipFile {
  readonly bytes: Buffer;
  /** Of its local header. */
  readonly offset: number;
}

/** @param at when the files were made: what extracted ones are dated */
export function layZip(files: readonly ZipFile[], at: Date): Zip {
  const stamp = dosTime(at);
  const entries: Entry[] = [];
  let offset = 0;
  for (const file of files) {
    const entry = { ...file, bytes: Buffer.from(file.name), offset };
    entries.push(entry);
    offset += localHeader(entry, stamp).length + file.size;
  }
  const directoryAt = offset;
  const directorySize = entries.reduce((sum, entry) => sum + centralHeader(entry, stamp).length, 0);
  const end = endRecords(entries.length, directoryAt, directorySize);
  const size = directoryAt + directorySize + end.length;

  /** Each part with its length; a part that nobody wants is never made or opened. */
  async function* read(from: number, to: number): AsyncGenerator<Buffer> {
    const cut = (start: number, part: Buffer): Buffer =>
      part.subarray(Math.max(0, from - start), Math.max(0, to + 1 - start));
    for (const entry of entries) {
      if (entry.offset > to) return;
      const header = localHeader(entry, stamp);
      const dataAt = entry.offset + header.length;
      if (dataAt + entry.size <= from) continue;
      if (dataAt > from) yield cut(entry.offset, header);
      if (entry.size > 0 && dataAt <= to)
        yield* readFile(entry, Math.max(0, from - dataAt), Math.min(entry.size, to + 1 - dataAt));
    }
    let start = directoryAt;
    for (const entry of entries) {
      if (start > to) return;
      const header = centralHeader(entry, stamp);
      if (start + header.length > from) yield cut(start, header);
      start += header.length;
    }
    if (start <= to) yield cut(start, end);
  }
  return { size, read: (from, to) => joined(read(from, to)) };
}

/** Headers are small and many: they go out together, a file's pieces as they come. */
async function* joined(parts: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const part of parts) {
    held.push(part);
    bytes += part.length;
    if (bytes < joinBytes) continue;
    yield Buffer.concat(held, bytes);
    [held, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}

async function* readFile({ file, size, name }: ZipFile, from: number, end: number): AsyncGenerator<Buffer> {
  const handle = await open(file, 'r');
  try {
    const changed = new MirrorError('ERR_TREE_MOVED', 'a file changed while it was sent', { name });
    if ((await handle.stat()).size !== size) throw changed;
    for (let at = from; at < end; ) {
      const wanted = Math.min(chunkBytes, end - at);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
      if (bytesRead === 0) throw changed;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

function localHeader({ bytes, size, crc32 }: Entry, stamp: number): Buffer {
  const large = size >= max32;
  const extra = large ? extended([size, size]) : Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x0403_4b50, 0);
  header.writeUInt16LE(large ? 45 : 20, 4);
  header.writeUInt16LE(utf8Names, 6);
  header.writeUInt32LE(stamp, 10);
  header.writeUInt32LE(crc32, 14);
  header.writeUInt32LE(large ? max32 : size, 18);
  header.writeUInt32LE(large ? max32 : size, 22);
  header.writeUInt16LE(bytes.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, bytes, extra]);
}

function centralHeader({ bytes, size, crc32, offset }: Entry, stamp: number): Buffer {
  const [large, far] = [size >= max32, offset >= max32];
  const wide = [...(large ? [size, size] : []), ...(far ? [offset] : [])];
  const extra = wide.length === 0 ? Buffer.alloc(0) : extended(wide);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x0201_4b50, 0);
  header.writeUInt16LE(unix | 45, 4);
  header.writeUInt16LE(wide.length === 0 ? 20 : 45, 6);
  header.writeUInt16LE(utf8Names, 8);
  header.writeUInt32LE(stamp, 12);
  header.writeUInt32LE(crc32, 16);
  header.writeUInt32LE(large ? max32 : size, 20);
  header.writeUInt32LE(large ? max32 : size, 24);
  header.writeUInt16LE(bytes.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(regularFile * 0x1_0000, 38);
  header.writeUInt32LE(far ? max32 : offset, 42);
  return Buffer.concat([header, bytes, extra]);
}

/** The ZIP64 extra field: what does not fit in 32 bits, in the order of the header's own fields. */
function extended(values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}

function endRecords(count: number, at: number, size: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x0605_4b50, 0);
  end.writeUInt16LE(Math.min(count, max16), 8);
  end.writeUInt16LE(Math.min(count, max16), 10);
  end.writeUInt32LE(Math.min(size, max32), 12);
  end.writeUInt32LE(Math.min(at, max32), 16);
  if (count < max16 && size < max32 && at < max32) return end;
  const wide = Buffer.alloc(76);
  wide.writeUInt32LE(0x0606_4b50, 0);
  wide.writeBigUInt64LE(44n, 4);
  wide.writeUInt16LE(unix | 45, 12);
  wide.writeUInt16LE(45, 14);
  for (const [index, value] of [count, count, size, at].entries()) wide.writeBigUInt64LE(BigInt(value), 24 + 8 * index);
  wide.writeUInt32LE(0x0706_4b50, 56);
  wide.writeBigUInt64LE(BigInt(at + size), 64);
  wide.writeUInt32LE(1, 72);
  return Buffer.concat([wide, end]);
}

/** Two seconds' precision, from 1980 on, in UTC as nothing says which zone. */
function dosTime(at: Date): number {
  const year = Math.min(127, Math.max(0, at.getUTCFullYear() - 1980));
  const date = (year << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return ((date << 16) | time) >>> 0;
}
