/**
 * Journal → queue. The pump has one source, the journal on disk, whether a hint came this moment or an hour ago: so
 * nothing is lost when Redis is away, nothing piles up in memory, and after a loss of Redis it simply starts over.
 *
 * Which hints a Redis was given is known by a mark in it: gone after a flush, after a restart without its file, and in
 * another Redis. A restarted Redis may have its mark and lack its last writes; so the place that is kept as enqueued
 * stays behind the truth by `overlapMs`, and a new connection begins there. Tasks are one per build: what is enqueued
 * twice costs little.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type MirrorError, toMirrorError } from '../errors.ts';
import { type Log, logError } from '../log.ts';
import type { Hint } from '../model.ts';
import type { TaskQueue } from '../queue/queue.ts';
import { taskOfHint } from '../queue/tasks.ts';
import type { Journal } from '../tree/journal.ts';
import { isBefore, type Position } from '../tree/journal-segments.ts';
import { EnqueuedTrail } from './trail.ts';

export interface PumpOptions {
  readonly journal: Journal;
  readonly queue: Pick<TaskQueue, 'enqueue' | 'hasMark' | 'setMark' | 'onReady'>;
  readonly log: Log;
  /** Whether the tree already holds what a hint tells of: a duplicate, or a replay of what was done long ago. */
  readonly isDone: (hint: Hint) => Promise<boolean>;
  /**
   * Until when (ms since 1970) everything that was heard is known to the tree by a completed comparison with upstream,
   * whatever became of the hints; null: there was none yet.
   */
  readonly reconciledUntil: () => Promise<number | null>;
  /** How often the mark is looked at and, while Redis is away, Redis is tried. */
  readonly checkEveryMs?: number;
  readonly overlapMs?: number;
  readonly keepMs?: number;
}

const defaults = {
  checkEveryMs: 2000,
  // `appendfsync everysec` may lose two seconds in a power cut, more while the disk is slow.
  overlapMs: 30_000,
  // Jobs of a build that still runs are in no comparison; a day outlasts nearly all builds. What has not been enqueued,
  // or not been compared since, is kept for as long as it takes.
  keepMs: 24 * 3_600_000,
};

/** More at once make each of them cheaper; beyond this hardly any more. */
const enqueuesAtOnce = 32;
/** Node reads files by four threads, and the journal's writes must find one: a batch's reads must not stand before them. */
const looksAtOnce = 2;
/**
 * While deliveries keep coming, the pump works an eighth of the time: in a burst the answers go first, Buildkite waits
 * for them and for nothing else. What is not enqueued yet is safe where it is.
 */
const restPerWork = 7;
/** Where Redis is far away, work is mostly waiting, and needs no rest from that. */
const longestRestMs = 200;

export class Pump {
  readonly #options: Required<PumpOptions>;
  #trail: EnqueuedTrail;
  #mark: string | null = null;
  /** The next place to read at; all before it has been enqueued. */
  #place: Position;
  #isReconnected = true;
  #isCheckDue = true;
  #isWoken = false;
  #isStopped = false;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #trouble: { readonly since: number; readonly error: MirrorError | null } | null;

  constructor(options: PumpOptions) {
    this.#options = { ...defaults, ...options };
    this.#place = options.journal.start;
    this.#trail = new EnqueuedTrail(this.#place, this.#options.overlapMs);
    this.#trouble = { since: Date.now(), error: null };
  }

  /** Since when hints are not being enqueued, and why (null: not begun yet); null while all is well. */
  get trouble(): { readonly since: number; readonly error: MirrorError | null } | null {
    return this.#trouble;
  }

  async start(): Promise<void> {
    const { journal, queue, checkEveryMs, overlapMs } = this.#options;
    const checkpoint = await journal.readCheckpoint();
    if (checkpoint !== null) {
      this.#mark = checkpoint.mark;
      this.#trail = new EnqueuedTrail(checkpoint.position, overlapMs);
    }
    queue.onReady(() => {
      this.#isReconnected = true;
      this.#turn();
    });
    journal.onAppend(() => {
      // While Redis is away the timer tries; each delivery would do so in vain.
      if (this.#trouble === null) this.#turn();
    });
    this.#timer = setInterval(() => {
      this.#isCheckDue = true;
      this.#turn();
    }, checkEveryMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  #turn(): void {
    if (this.#isStopped) return;
    this.#isWoken = true;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#isWoken && !this.#isStopped) {
      this.#isWoken = false;
      try {
        if (this.#isReconnected || this.#isCheckDue) await this.#check();
        await this.#drain();
        this.#trouble = null;
      } catch (thrown) {
        this.#report(toMirrorError(thrown));
      }
    }
    this.#running = null;
  }

  #report(error: MirrorError): void {
    this.#isCheckDue = true;
    const known = this.#trouble;
    this.#trouble = { since: known?.since ?? Date.now(), error };
    // Redis reports its own absence where it is connected; here it is only worth a line when it begins.
    if (error.code !== 'ERR_QUEUE_UNAVAILABLE') logError(this.#options.log, error, 'the journal could not be enqueued');
    else if (known === null)
      this.#options.log.warn({ cause: String(error.cause) }, 'hints wait in the journal for Redis');
  }

  /** Nothing is in flight here: what has been enqueued before a mark is seen is in the Redis that bears it. */
  async #check(): Promise<void> {
    const reconnected = this.#isReconnected;
    this.#isReconnected = false;
    try {
      const isKnown = this.#mark !== null && (await this.#options.queue.hasMark(this.#mark));
      if (!isKnown) await this.#startOver();
      else if (reconnected) this.#place = this.#trail.rewind();
      else await this.#note();
      this.#isCheckDue = false;
    } catch (thrown) {
      this.#isReconnected ||= reconnected;
      throw thrown;
    }
  }

  async #startOver(): Promise<void> {
    const { journal, queue, log, overlapMs } = this.#options;
    if (journal.entries > 0) {
      log.warn(
        { entries: journal.entries },
        'this Redis is not the one that was filled: the journal is enqueued from its start',
      );
    }
    // The mark comes first: a flush while the journal is being enqueued takes it away again and is seen.
    const mark = randomUUID();
    await queue.setMark(mark);
    this.#mark = mark;
    this.#place = journal.start;
    this.#trail = new EnqueuedTrail(this.#place, overlapMs);
  }

  async #note(): Promise<void> {
    const { journal, log, keepMs, reconciledUntil } = this.#options;
    const now = Date.now();
    const mark = this.#mark;
    if (mark === null) return;
    try {
      const moved = this.#trail.reached(this.#place, now);
      if (moved !== null) await journal.writeCheckpoint({ mark, position: moved });
      // Also where nothing moved: the reconciliation that covers the older entries comes after them, and perhaps last.
      const position = this.#trail.start;
      if (journal.start.segment >= position.segment) return;
      const until = await reconciledUntil();
      const removed = until === null ? 0 : await journal.cut(Math.min(until, now - keepMs), position);
      if (removed > 0) log.info({ entries: removed }, 'entries of the journal that a reconciliation covers are cut');
    } catch (thrown) {
      // The older checkpoint stays in force, and with it a longer replay.
      logError(log, thrown, 'the journal’s checkpoint could not be written, or the journal not be cut');
    }
  }

  async #drain(): Promise<void> {
    const { journal } = this.#options;
    while (!this.#isStopped) {
      const end = journal.end;
      const { hints, next } = await journal.read(this.#place);
      if (hints.length === 0 && !isBefore(this.#place, next)) return;
      const begunAt = performance.now();
      await this.#enqueue(await this.#news(hints));
      this.#place = next;
      if (this.#isReconnected || this.#isCheckDue) return this.#turn();
      if (isBefore(end, journal.end)) await pause(Math.min(longestRestMs, restPerWork * (performance.now() - begunAt)));
    }
  }

  /**
   * Of each build the latest hint that is news: it is looked at once for all that was heard of it, and its latest word
   * says what must be seen there by then. They come in the order of these words, so that the newest work is not put
   * before the older.
   */
  async #news(hints: readonly Hint[]): Promise<Hint[]> {
    const ofBuilds = Map.groupBy(hints, ({ build }) => build).values();
    const latest = new Set<Hint>();
    const lookSome = async (): Promise<void> => {
      for (const heard of ofBuilds) {
        const news = await this.#latestNews(heard);
        if (news !== null) latest.add(news);
      }
    };
    await Promise.all(Array.from({ length: looksAtOnce }, lookSome));
    return hints.filter((hint) => latest.has(hint));
  }

  /**
   * What is old news of one job must not speak for the others of its build, so they are asked one by one, the latest
   * first. A record that cannot be read is no reason to leave a hint out.
   */
  async #latestNews(heard: readonly Hint[]): Promise<Hint | null> {
    const { isDone, log } = this.#options;
    for (const hint of heard.toReversed()) {
      try {
        if (!(await isDone(hint))) return hint;
      } catch (thrown) {
        logError(log, thrown, 'a record could not be read; its build is looked at again', { build: hint.build });
        return hint;
      }
    }
    return null;
  }

  /** Waits for the end of all, also when one fails. */
  async #enqueue(hints: Hint[]): Promise<void> {
    const rest = hints.values();
    let failure: MirrorError | null = null;
    const enqueueSome = async (): Promise<void> => {
      for (const hint of rest) {
        const refused = await this.#enqueueOne(hint);
        failure ??= refused;
        if (failure !== null) return;
      }
    };
    await Promise.all(Array.from({ length: enqueuesAtOnce }, enqueueSome));
    if (failure !== null) throw failure;
  }

  /** @returns why not, when it is worth trying again */
  async #enqueueOne(hint: Hint): Promise<MirrorError | null> {
    try {
      await this.#options.queue.enqueue(taskOfHint(hint));
    } catch (thrown) {
      const error = toMirrorError(thrown);
      if (error.code === 'ERR_QUEUE_UNAVAILABLE') return error;
      // One hint that cannot be enqueued must not keep all later ones back.
      logError(this.#options.log, error, 'a hint could not be enqueued and is left out', { build: hint.build });
    }
    return null;
  }
}
