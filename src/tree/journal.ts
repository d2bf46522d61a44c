/**
 * The journal of accepted hints (`spool/`): a delivery is answered when its hint is here, on disk, and whatever becomes
 * of the queue is made good from here.
 *
 *   spool/0000000007.jsonl     segments: one hint a line, appended to by the receiver alone
 *   spool/enqueued.json        the checkpoint: up to which place the queue that bears `mark` was given everything
 *   spool/lock                 held by the one process that writes
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { MirrorError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Hint } from '../model.ts';
import { isAbsent, syncFolder, writeAtomic } from './files.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './journal-checkpoint.ts';
import { GroupCommit } from './journal-commit.ts';
import {
  formatLine,
  isBefore,
  listSegments,
  type Position,
  readLines,
  type Segment,
  segmentFile,
  surveySegment,
} from './journal-segments.ts';
import { takeLock } from './lock.ts';

export interface JournalOptions {
  readonly log: Log;
  readonly segmentBytes?: number;
  readonly segmentAgeMs?: number;
  readonly timeoutMs?: number;
}

export interface Batch {
  readonly hints: readonly Hint[];
  /** Where to read on; unchanged when there is nothing (yet). */
  readonly next: Position;
}

const defaults = {
  segmentBytes: 8 * 1024 * 1024,
  // A quiet mirror's segment would otherwise hold old entries for as long as it takes to fill.
  segmentAgeMs: 24 * 3_600_000,
  // Buildkite waits about 5 s for an answer; a refusal must reach it before.
  timeoutMs: 4000,
};

const probeTimeoutMs = 1000;

/**
 * @param folder `spool/`, made when absent
 * @throws MirrorError ERR_JOURNAL_UNAVAILABLE while another process writes this journal
 */
export async function openJournal(folder: string, options: JournalOptions): Promise<Journal> {
  await mkdir(folder, { recursive: true });
  await syncFolder(dirname(folder));
  const lock = takeLock(join(folder, 'lock'));
  if (lock === null) {
    throw new MirrorError('ERR_JOURNAL_UNAVAILABLE', `another receiver writes the journal in ${folder}`);
  }
  const segments: Segment[] = [];
  for (const number of await listSegments(folder)) segments.push(await surveySegment(folder, number));
  const checkpoint = await readCheckpoint(folder, options.log);
  // Numbers are never used twice, also where segments were removed by hand: what is appended next must not come to lie
  // before a place up to which all counts as enqueued. Nor is the last segment written on: its end may be torn.
  const next = 1 + Math.max(segments.at(-1)?.number ?? 0, checkpoint?.position.segment ?? 0);
  return new Journal(folder, options, { segments, next, release: () => lock.release() });
}

interface Found {
  readonly segments: Segment[];
  readonly next: number;
  readonly release: () => void;
}

export class Journal {
  readonly #folder: string;
  readonly #log: Log;
  readonly #segments: Segment[];
  readonly #commit: GroupCommit;
  readonly #release: () => void;
  readonly #listeners: (() => void)[] = [];
  #probe: Promise<void> | null = null;

  constructor(folder: string, options: JournalOptions, { segments, next, release }: Found) {
    this.#folder = folder;
    this.#log = options.log;
    this.#segments = segments;
    this.#release = release;
    this.#commit = new GroupCommit({
      ...defaults,
      ...options,
      folder,
      next,
      onSegment: (segment) => this.#segments.push(segment),
      onCommit: () => this.#listeners.forEach((listener) => listener()),
    });
  }

  /**
   * Resolves when the hint is on disk.
   * @returns the delivery's new name and the place just behind its entry
   * @throws MirrorError ERR_JOURNAL_UNAVAILABLE within a few seconds; the hint may then be in the journal or not
   */
  async append(hint: Hint): Promise<{ delivery: string; position: Position }> {
    const delivery = randomUUID();
    const position = await this.#commit.append(formatLine(delivery, hint), hint.heardAt);
    return { delivery, position };
  }

  /** Called after each commit. */
  onAppend(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get start(): Position {
    return { segment: this.#segments[0]?.number ?? 0, offset: 0 };
  }

  get end(): Position {
    const last = this.#segments.at(-1);
    return last === undefined ? this.start : { segment: last.number, offset: last.bytes };
  }

  /** How many entries are kept. */
  get entries(): number {
    return this.#segments.reduce((sum, { entries }) => sum + entries, 0);
  }

  /** Some of what follows a place, in order, about `maxBytes` of it. A line that is no hint is reported and left out. */
  async read(from: Position, maxBytes = 256 * 1024): Promise<Batch> {
    const found = this.#segments.findIndex(({ number, bytes }) => isBefore(from, { segment: number, offset: bytes }));
    const segment = this.#segments[found];
    if (segment === undefined) return { hints: [], next: from };
    const offset = segment.number === from.segment ? from.offset : 0;
    try {
      const lines = await readLines(this.#folder, segment.number, offset, segment.bytes, maxBytes);
      for (const { hint, position } of lines) {
        if (hint === null) this.#log.error({ ...position }, 'a line of the journal is not a hint; it is left out');
      }
      const hints = lines.flatMap(({ hint }) => (hint === null ? [] : [hint]));
      return { hints, next: lines.at(-1)?.position ?? { segment: segment.number, offset: segment.bytes } };
    } catch (thrown) {
      if (!isAbsent(thrown)) throw thrown;
      if (this.#segments.includes(segment)) this.#log.error({ segment: segment.number }, 'a journal segment is gone');
      return { hints: [], next: { segment: segment.number, offset: segment.bytes } };
    }
  }

  /**
   * That an append would work now, as far as can be told: after a fault the disk is tried.
   * @throws MirrorError ERR_JOURNAL_UNAVAILABLE
   */
  async check(): Promise<void> {
    if (this.#commit.fault === null) return;
    this.#probe ??= this.#tryDisk().finally(() => {
      this.#probe = null;
    });
    await Promise.race([this.#probe, pause(probeTimeoutMs, undefined, { ref: false })]);
    if (this.#commit.fault !== null) throw this.#commit.fault;
  }

  async #tryDisk(): Promise<void> {
    const file = join(this.#folder, 'probe');
    try {
      await writeAtomic(file, Buffer.alloc(4096));
      await unlink(file);
      this.#commit.recovered();
    } catch (thrown) {
      this.#log.debug({ error: String(thrown) }, 'the journal’s disk still fails');
    }
  }

  async readCheckpoint(): Promise<Checkpoint | null> {
    return readCheckpoint(this.#folder, this.#log);
  }

  async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    await writeCheckpoint(this.#folder, checkpoint);
  }

  /**
   * Removes the segments all of whose entries were heard before `before` (ms since 1970) and stand before `enqueued`.
   * @returns how many entries were removed
   */
  async cut(before: number, enqueued: Position): Promise<number> {
    let removed = 0;
    for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
      if (first.number >= enqueued.segment || first.newestAt >= before) break;
      await rm(segmentFile(this.#folder, first.number), { force: true });
      this.#segments.shift();
      removed += first.entries;
    }
    return removed;
  }

  async close(): Promise<void> {
    await this.#commit.close();
    this.#release();
  }
}
