/**
 * Group commit: whoever appends while a write runs shares the next one. An append resolves when its line is on disk.
 * After a fault the segment is cut back to what is known to be on disk and left for good; the next append begins
 * another, so that the journal works again as soon as the disk does.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf, MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import { syncFolder } from './files.ts';
import { type Position, type Segment, segmentFile } from './journal-segments.ts';

export interface CommitOptions {
  readonly folder: string;
  readonly log: Log;
  /** The number of the first segment that is begun. */
  readonly next: number;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  /** How long a commit may take before those who wait for it are told that it failed. */
  readonly timeoutMs: number;
  /** A segment has its first entries; its `bytes` and `entries` grow with each commit. */
  onSegment(segment: Segment): void;
  onCommit(): void;
}

interface Waiting {
  readonly line: Buffer;
  readonly heardAt: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: MirrorError) => void;
}

interface Current {
  readonly handle: FileHandle;
  readonly segment: Segment;
  /** The file's length: behind the entries it is zeros. */
  length: number;
  readonly begunAt: number;
}

/** More than a receiver is sent while a disk takes a breath; what comes on top of that is refused, not remembered. */
const maxWaiting = 10_000;

/**
 * A file grows by so many zeros ahead of its entries. A write into what is there already does not change the file's
 * length, so that file systems which write in place (ext4, XFS) have one write to do instead of two or three.
 */
const ahead = Buffer.alloc(256 * 1024);

export class GroupCommit {
  readonly #options: CommitOptions;
  #next: number;
  #current: Current | null = null;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;
  #stuck = false;
  #isClosed = false;
  #fault: MirrorError | null = null;

  constructor(options: CommitOptions) {
    this.#options = options;
    this.#next = options.next;
  }

  /** Why the last commit failed; null once one has worked again. */
  get fault(): MirrorError | null {
    return this.#fault;
  }

  /** The disk was seen to work again, by other means than an append. */
  recovered(): void {
    if (!this.#stuck) this.#fault = null;
  }

  /** @throws MirrorError ERR_JOURNAL_UNAVAILABLE; the line then may or may not be in the journal */
  append(line: string, heardAt: number): Promise<Position> {
    if (this.#isClosed) return Promise.reject(unavailable('it is closed'));
    if (this.#stuck) return Promise.reject(this.#fault ?? unavailable('the disk does not answer'));
    if (this.#waiting.length >= maxWaiting) return Promise.reject(unavailable('too many deliveries wait for the disk'));
    const appended = new Promise<Position>((resolve, reject) => {
      this.#waiting.push({ line: Buffer.from(line), heardAt, resolve, reject });
    });
    this.#running ??= this.#run();
    return appended;
  }

  /** Waits for what was appended and leaves the segment. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
    await this.#leave();
  }

  async #run(): Promise<void> {
    // Begun behind the deliveries that came in the same turn of the event loop, so that they share the first write too.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      const late = setTimeout(() => this.#giveUp(group), this.#options.timeoutMs);
      try {
        const positions = await this.#commit(group);
        this.#fault = null;
        for (const [index, position] of positions.entries()) group[index]?.resolve(position);
        this.#options.onCommit();
      } catch (cause) {
        this.#fault = unavailable('a write failed', cause);
        for (const { reject } of group) reject(this.#fault);
        await this.#abandon();
      } finally {
        clearTimeout(late);
        this.#stuck = false;
      }
    }
    this.#running = null;
  }

  /** Nobody waits longer for a disk that hangs; what it writes in the end is in the journal all the same. */
  #giveUp(group: readonly Waiting[]): void {
    this.#stuck = true;
    this.#fault = unavailable('the disk does not answer');
    for (const { reject } of [...group, ...this.#waiting]) reject(this.#fault);
    this.#waiting = [];
  }

  async #commit(group: readonly Waiting[]): Promise<Position[]> {
    const current = await this.#segmentForMore();
    const { handle, segment } = current;
    const bytes = group.reduce((sum, { line }) => sum + line.length, 0);
    const grows = segment.bytes + bytes > current.length;
    const data = Buffer.concat([...group.map(({ line }) => line), ...(grows ? [ahead] : [])]);
    // A disk that has no room for what is ahead has written the entries first.
    for (let written = 0; written < bytes; ) {
      const { bytesWritten } = await handle.write(data, written, data.length - written, segment.bytes + written);
      written += bytesWritten;
      current.length = Math.max(current.length, segment.bytes + written);
    }
    if (segment.entries === 0) this.#options.onSegment(segment);
    return group.map(({ line, heardAt }) => {
      segment.bytes += line.length;
      segment.entries += 1;
      segment.newestAt = Math.max(segment.newestAt, heardAt);
      return { segment: segment.number, offset: segment.bytes };
    });
  }

  async #segmentForMore(): Promise<Current> {
    const { segmentBytes, segmentAgeMs, folder } = this.#options;
    const current = this.#current;
    const full = current !== null && current.segment.bytes >= segmentBytes;
    // Also by a clock that was set back, as it would be ahead of that clock for as long.
    if (full || (current !== null && Math.abs(Date.now() - current.begunAt) >= segmentAgeMs)) await this.#leave();
    if (this.#current !== null) return this.#current;
    const number = this.#next;
    this.#next += 1;
    // O_DSYNC: a write returns when its bytes and the file's length are on disk, in one call instead of two.
    const { O_CREAT, O_EXCL, O_WRONLY, O_DSYNC } = constants;
    const handle = await open(segmentFile(folder, number), O_CREAT | O_EXCL | O_WRONLY | O_DSYNC, 0o640);
    const segment: Segment = { number, bytes: 0, entries: 0, newestAt: 0 };
    this.#current = { handle, segment, length: 0, begunAt: Date.now() };
    await syncFolder(folder);
    return this.#current;
  }

  async #leave(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    if (current === null) return;
    const { handle, segment } = current;
    try {
      await handle.truncate(segment.bytes);
    } catch (thrown) {
      this.#options.log.debug({ segment: segment.number, errno: errnoOf(thrown) }, 'zeros stay behind a segment');
    } finally {
      await handle.close();
    }
  }

  async #abandon(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    if (current === null) return;
    const { handle, segment } = current;
    try {
      try {
        await handle.truncate(segment.bytes);
      } finally {
        await handle.close();
      }
      if (segment.bytes === 0) await unlink(segmentFile(this.#options.folder, segment.number));
    } catch (thrown) {
      // Readers stop at `bytes`, and after a restart at the last whole line: a tail that stays is only repeated work.
      this.#options.log.warn(
        { segment: segment.number, errno: errnoOf(thrown) },
        'a torn journal segment could not be cut',
      );
    }
  }
}

function unavailable(why: string, cause?: unknown): MirrorError {
  const errno = errnoOf(cause);
  const text = errno === undefined ? why : `${why} (${errno})`;
  return new MirrorError('ERR_JOURNAL_UNAVAILABLE', `the journal cannot be written: ${text}`, { errno }, cause);
}
