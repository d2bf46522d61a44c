/**
 * Bytes that are not verified yet. A small file stays in memory until it is whole and is then written in one go (the
 * system calls, not the network, are what small files cost); a larger one is written as it comes, in batches.
 * The sums are taken on the way: SHA-256, which names the blob, CRC-32, which archives want, and SHA-1 where upstream
 * states nothing better.
 */
import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, fdatasync, openSync, statfsSync, unlinkSync, writeSync, writev } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { errnoOf } from '../errors.ts';
import { diskError } from './files.ts';
import type { ValueFinder } from './sealed-values.ts';

const spillBytes = 256 * 1024;
const queuedBytes = 1024 * 1024;

const datasync = promisify(fdatasync);
/** TMPFS_MAGIC and RAMFS_MAGIC of statfs(2): nothing there survives a power cut, so there is nothing to sync. */
const memoryTypes = new Set([0x01021994, 0x858458f6]);

/** Where downloads wait for their verdict, and whether that is a disk. */
export interface Staging {
  readonly durable: boolean;
  /** Looks for what must not come in; null: there is nothing of the kind. */
  readonly newFinder?: () => ValueFinder | null;
}

export function openStaging(folder: string): Staging {
  return { durable: !memoryTypes.has(statfsSync(folder).type) };
}

/** A file in staging/, whole and on disk, that waits for its verdict. */
export interface Staged {
  readonly file: string;
  readonly size: number;
  /** Null where it was not asked for. */
  readonly sha1: string | null;
  readonly sha256: string;
  readonly crc32: string;
  /** What was looked for in it. */
  readonly finder?: ValueFinder | null;
}

export class StagedFile {
  readonly #file: string;
  readonly #durable: boolean;
  readonly #takesSha1: boolean;
  readonly #newFinder: () => ValueFinder | null;
  #finder: ValueFinder | null;
  #received = 0;
  #held: Buffer[] = [];
  #spill: Spill | null = null;

  /** @param takesSha1 false where nothing is to be compared with it: it is a tenth of what a large file costs */
  constructor(file: string, { durable, newFinder = () => null }: Staging, takesSha1 = true) {
    this.#file = file;
    this.#durable = durable;
    this.#takesSha1 = takesSha1;
    this.#newFinder = newFinder;
    this.#finder = newFinder();
  }

  get received(): number {
    return this.#received;
  }

  /** @returns false when the sender should pause until `drained` */
  write(chunk: Buffer): boolean {
    this.#received += chunk.length;
    this.#finder?.update(chunk);
    if (this.#spill !== null) return this.#spill.write(chunk);
    this.#held.push(chunk);
    if (this.#received <= spillBytes) return true;
    const spill = new Spill(this.#file, this.#takesSha1);
    this.#spill = spill;
    const held = this.#held;
    this.#held = [];
    return held.map((each) => spill.write(each)).every(Boolean);
  }

  async drained(): Promise<void> {
    await this.#spill?.drained();
  }

  restart(): void {
    this.#spill?.abandon();
    this.#spill = null;
    this.#received = 0;
    this.#held = [];
    this.#finder = this.#newFinder();
  }

  /** All bytes on disk, and what they sum up to. The file's last link is the caller's to make or to remove. */
  async finish(): Promise<Staged> {
    try {
      const sums = this.#spill === null ? await this.#writeHeld() : await this.#spill.finish(this.#durable);
      return { file: this.#file, size: this.#received, ...sums, finder: this.#finder };
    } catch (thrown) {
      this.discard();
      throw diskError(thrown, 'cannot write to staging');
    }
  }

  async #writeHeld(): Promise<Sums> {
    const fd = openSync(this.#file, 'wx', 0o644);
    try {
      const bytes = putTogether(this.#held);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      const sha1 = this.#takesSha1 ? hash('sha1', bytes) : null;
      const sums = { sha1, sha256: hash('sha256', bytes), crc32: hexOf(crc32(bytes)) };
      // From here on the bytes may be another file's.
      if (this.#durable) await datasync(fd);
      return sums;
    } finally {
      closeSync(fd);
      this.#held = [];
    }
  }

  /** Removes what is there; safe at any time, also after `finish`. */
  discard(): void {
    this.#spill?.abandon();
    this.#spill = null;
    removeStaged(this.#file);
  }
}

/** One small file after the other is put together here: a buffer for each is garbage that the collector runs after. */
const workbench = Buffer.allocUnsafeSlow(spillBytes);

/** @returns what is good until the next call */
function putTogether(chunks: readonly Buffer[]): Buffer {
  const [first, second] = chunks;
  if (first !== undefined && second === undefined) return first;
  let length = 0;
  for (const chunk of chunks) length += chunk.copy(workbench, length);
  return workbench.subarray(0, length);
}

type Sums = Pick<Staged, 'sha1' | 'sha256' | 'crc32'>;

function hexOf(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}

/** A file that is written while it comes in. Given up, it ends what it is writing and touches nothing after that. */
class Spill {
  readonly #file: string;
  readonly #fd: number;
  readonly #sha1: Hash | null;
  readonly #sha256: Hash = createHash('sha256');
  #crc32 = 0;
  #queue: Buffer[] = [];
  #queued = 0;
  #written = 0;
  #writing: Promise<void> | null = null;
  #failure: unknown = null;
  #closed = false;

  constructor(file: string, takesSha1: boolean) {
    this.#file = file;
    this.#sha1 = takesSha1 ? createHash('sha1') : null;
    this.#fd = openSync(file, 'wx', 0o644);
  }

  write(chunk: Buffer): boolean {
    this.#sha1?.update(chunk);
    this.#sha256.update(chunk);
    this.#crc32 = crc32(chunk, this.#crc32);
    this.#queue.push(chunk);
    this.#queued += chunk.length;
    this.#writing ??= this.#drain();
    return this.#queued < queuedBytes && this.#failure === null;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0 && !this.#closed) {
        const batch = this.#queue;
        const bytes = this.#queued;
        this.#queue = [];
        this.#queued = 0;
        await writeFully(this.#fd, batch, this.#written);
        this.#written += bytes;
      }
    } catch (thrown) {
      this.#failure = diskError(thrown, 'cannot write to staging');
    } finally {
      this.#writing = null;
      if (this.#closed) closeSync(this.#fd);
    }
  }

  async drained(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  async finish(durable: boolean): Promise<Sums> {
    await this.drained();
    if (durable) await datasync(this.#fd);
    this.#close();
    return { sha1: this.#sha1?.digest('hex') ?? null, sha256: this.#sha256.digest('hex'), crc32: hexOf(this.#crc32) };
  }

  abandon(): void {
    this.#close();
    removeStaged(this.#file);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#writing === null) closeSync(this.#fd);
  }
}

export function removeStaged(file: string): void {
  try {
    unlinkSync(file);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
  }
}

const writeVector = promisify(writev);

async function writeFully(fd: number, buffers: Buffer[], position: number): Promise<void> {
  let rest = buffers;
  let at = position;
  while (rest.length > 0) {
    // One call takes at most IOV_MAX (1,024) buffers.
    const batch = rest.slice(0, 1000);
    let { bytesWritten } = await writeVector(fd, batch, at);
    at += bytesWritten;
    rest = rest.slice(batch.length);
    const unwritten = batch.flatMap((buffer) => {
      const done = Math.min(bytesWritten, buffer.length);
      bytesWritten -= done;
      return done === buffer.length ? [] : [buffer.subarray(done)];
    });
    rest = [...unwritten, ...rest];
  }
}
