import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { pbkdf2 } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { MirrorError } from '../../src/errors.ts';
import type { Hint } from '../../src/model.ts';
import { type Journal, type JournalOptions, openJournal } from '../../src/tree/journal.ts';
import type { Position } from '../../src/tree/journal-segments.ts';
import { hintOf } from './hints.ts';

let spool: string;
let journals: Journal[];
let lines: { level: number; msg: string; offset?: number }[];
const log = pino(
  { level: 'debug' },
  { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) },
);

beforeEach(() => {
  spool = join(mkdtempSync(join(tmpdir(), 'kitemirror-journal-')), 'spool');
  journals = [];
  lines = [];
});

afterEach(async () => {
  for (const journal of journals) await journal.close();
  rmSync(join(spool, '..'), { recursive: true });
});

async function open(options: Partial<JournalOptions> = {}, folder = spool): Promise<Journal> {
  const journal = await openJournal(folder, { log, ...options });
  journals.push(journal);
  return journal;
}

async function reopen(options: Partial<JournalOptions> = {}): Promise<Journal> {
  for (const journal of journals.splice(0)) await journal.close();
  return open(options);
}

async function readAll(journal: Journal, from = journal.start, maxBytes?: number): Promise<Hint[]> {
  const hints: Hint[] = [];
  for (let place: Position = from; ; ) {
    const batch = await journal.read(place, maxBytes);
    if (batch.hints.length === 0 && batch.next.segment === place.segment && batch.next.offset === place.offset)
      return hints;
    hints.push(...batch.hints);
    place = batch.next;
  }
}

function segments(): string[] {
  return readdirSync(spool)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof MirrorError && error.code === 'ERR_JOURNAL_UNAVAILABLE';

describe('the journal', () => {
  it('gives back what was appended, in order, also to the next process', async () => {
    const journal = await open();
    const hints = Array.from({ length: 50 }, (_, index) => hintOf({ number: index + 1 }));
    for (const hint of hints) await journal.append(hint);
    assert.deepEqual(await readAll(journal), hints);
    assert.deepEqual(await readAll(await reopen()), hints);
  });

  it('reads on from the place behind any entry', async () => {
    const journal = await open({ segmentBytes: 500 });
    const hints = Array.from({ length: 10 }, () => hintOf());
    const places: Position[] = [];
    for (const hint of hints) places.push((await journal.append(hint)).position);
    for (const [index, place] of places.entries()) {
      assert.deepEqual(await readAll(journal, place, 300), hints.slice(index + 1));
    }
  });

  it('names each delivery once', async () => {
    const journal = await open();
    const receipts = await Promise.all(Array.from({ length: 100 }, () => journal.append(hintOf())));
    assert.equal(new Set(receipts.map(({ delivery }) => delivery)).size, 100);
  });

  it('puts what is appended at once on disk in few writes', async () => {
    const journal = await open();
    let commits = 0;
    journal.onAppend(() => {
      commits += 1;
    });
    await Promise.all(Array.from({ length: 1000 }, () => journal.append(hintOf())));
    assert.ok(commits <= 2, `${commits} commits`);
    assert.equal(journal.entries, 1000);
  });

  it('begins another segment when one is full or old', async () => {
    const journal = await open({ segmentBytes: 400 });
    for (let count = 0; count < 6; count += 1) await journal.append(hintOf());
    assert.equal(segments().length, 3);
    const aged = await reopen({ segmentAgeMs: 0 });
    await aged.append(hintOf());
    await aged.append(hintOf());
    assert.equal(segments().length, 5);
  });

  it('begins another segment when the clock was set back by as much', async (t) => {
    const journal = await open({ segmentAgeMs: 60_000 });
    await journal.append(hintOf());
    await journal.append(hintOf());
    assert.equal(segments().length, 1);
    const now = Date.now();
    t.mock.method(Date, 'now', () => now - 61_000);
    await journal.append(hintOf());
    assert.equal(segments().length, 2);
  });

  it('counts its entries across restarts', async () => {
    const journal = await open({ segmentBytes: 1000 });
    for (let count = 0; count < 11; count += 1) await journal.append(hintOf());
    assert.equal((await reopen()).entries, 11);
  });

  it('forgets a torn end, which nobody was answered for, and never writes behind it', async () => {
    const journal = await open();
    const [first, second, third] = [hintOf(), hintOf(), hintOf()];
    await journal.append(first);
    const { position } = await journal.append(second);
    await reopen();
    truncateSync(join(spool, segments()[0] ?? ''), position.offset - 7);
    const after = await reopen();
    await after.append(third);
    assert.deepEqual(await readAll(after), [first, third]);
    assert.equal(after.entries, 2);
    assert.deepEqual(lines, []);
  });

  it('grows ahead of its entries, and is as long as they are when it is left', async () => {
    const journal = await open();
    await journal.append(hintOf());
    const file = join(spool, segments()[0] ?? '');
    const ahead = statSync(file).size;
    const { position } = await journal.append(hintOf());
    assert.ok(ahead > 100_000);
    assert.equal(statSync(file).size, ahead, 'a write into it does not change its length');
    await reopen();
    assert.equal(statSync(file).size, position.offset);
  });

  it('reads what was acknowledged where its writer left zeros behind it, and among what it had not ended', async () => {
    const journal = await open();
    const [first, second] = [hintOf(), hintOf()];
    await journal.append(first);
    await journal.append(second);
    const file = join(spool, segments()[0] ?? '');
    const whole = readFileSync(file);
    await reopen();
    // As a power cut leaves it: of the last write, which nobody was answered for, a disk had the second half first.
    writeFileSync(file, Buffer.concat([whole.subarray(0, 8192), Buffer.from('nd half"}\n'), Buffer.alloc(100_000)]));
    const after = await reopen();
    assert.deepEqual(await readAll(after), [first, second]);
    assert.deepEqual(
      lines.map(({ level }) => level),
      [50],
      'half a line is told of',
    );
    const third = hintOf();
    const { position } = await after.append(third);
    assert.equal(await after.cut(first.heardAt, position), 0, 'what was acknowledged is as old as it is');
    assert.deepEqual(await readAll(after), [first, second, third]);
  });

  it('reports a line that is no hint and goes on behind it', async () => {
    const [first, last] = [hintOf(), hintOf()];
    const journal = await open();
    await journal.append(first);
    await reopen();
    const file = join(spool, segments()[0] ?? '');
    appendFileSync(file, `\0\0\0\n{"event":"build.finished"}\n[]\n\n`);
    appendFileSync(file, `${JSON.stringify(last)}\n`);
    assert.deepEqual(await readAll(await reopen()), [first, last]);
    assert.equal(lines.filter(({ level }) => level === 50).length, 4);
  });

  it('reads a line that is longer than what it reads at once', async () => {
    const journal = await open();
    await journal.append(hintOf());
    const long = hintOf({ pipeline: 'p'.repeat(128) });
    await journal.append(long);
    assert.deepEqual((await readAll(journal, journal.start, 10)).at(-1), long);
  });

  it('does not end over a segment that someone removed', async () => {
    const journal = await open({ segmentBytes: 1 });
    const hints = [hintOf(), hintOf(), hintOf()];
    for (const hint of hints) await journal.append(hint);
    unlinkSync(join(spool, segments()[1] ?? ''));
    assert.deepEqual(await readAll(journal), [hints[0], hints[2]]);
    assert.match(lines[0]?.msg ?? '', /segment is gone/);
  });

  it('never uses a number again, also when all segments were removed by hand', async () => {
    const journal = await open();
    const { position } = await journal.append(hintOf());
    await journal.writeCheckpoint({ mark: 'm', position });
    unlinkSync(join(spool, segments()[0] ?? ''));
    const later = hintOf();
    const after = await reopen();
    await after.append(later);
    assert.deepEqual(await readAll(after, position), [later]);
  });
});

describe('cutting the journal', () => {
  it('removes the segments that are old and enqueued, and no others', async () => {
    const journal = await open({ segmentBytes: 1 });
    const places: Position[] = [];
    for (const heardAt of [100, 200, 300, 400]) places.push((await journal.append(hintOf({ heardAt }))).position);
    const [, second, third] = places;
    assert.ok(second && third);
    assert.equal(await journal.cut(1000, { segment: second.segment, offset: 0 }), 1);
    assert.equal(await journal.cut(250, third), 1);
    assert.equal(await journal.cut(250, third), 0);
    assert.deepEqual(
      (await readAll(journal)).map(({ heardAt }) => heardAt),
      [300, 400],
    );
    assert.equal(journal.entries, 2);
    assert.equal(segments().length, 2);
  });

  it('keeps the age of entries across a restart', async () => {
    const journal = await open({ segmentBytes: 1 });
    await journal.append(hintOf({ heardAt: 100 }));
    const { position } = await journal.append(hintOf({ heardAt: 200 }));
    const after = await reopen();
    assert.equal(await after.cut(100, position), 0);
    assert.equal(await after.cut(101, position), 1);
  });
});

describe('the checkpoint', () => {
  it('is read back by the next process', async () => {
    const journal = await open();
    assert.equal(await journal.readCheckpoint(), null);
    const checkpoint = { mark: 'a mark', position: { segment: 3, offset: 12 } };
    await journal.writeCheckpoint(checkpoint);
    assert.deepEqual(await (await reopen()).readCheckpoint(), checkpoint);
  });

  for (const text of [
    '',
    '{"version":1',
    '{"version":2}',
    '{"version":1,"mark":"x","position":{"segment":-1,"offset":0}}',
  ]) {
    it(`counts for nothing when it reads ${JSON.stringify(text)}`, async () => {
      const journal = await open();
      writeFileSync(join(spool, 'enqueued.json'), text);
      assert.equal(await journal.readCheckpoint(), null);
      assert.match(lines[0]?.msg ?? '', /checkpoint cannot be read/);
    });
  }
});

/** A disk of 64 KiB that goes with the test. */
async function withTinyDisk(work: (folder: string) => Promise<void>): Promise<string | null> {
  const disk = mkdtempSync(join(tmpdir(), 'kitemirror-disk-'));
  const mount = spawn('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], { stdio: 'ignore' });
  const mounted = await once(mount, 'exit').then(
    ([code]) => code === 0,
    () => false,
  );
  try {
    if (!mounted) return 'this user may not mount a file system';
    await work(disk);
    return null;
  } finally {
    if (mounted) await once(spawn('umount', [disk], { stdio: 'ignore' }), 'exit');
    rmSync(disk, { recursive: true });
  }
}

describe('a disk that fails', () => {
  it('when full refuses what it cannot keep, keeps what it acknowledged, and works again as soon as there is room', async (t) => {
    const skipped = await withTinyDisk(async (disk) => {
      writeFileSync(join(disk, 'ballast'), Buffer.alloc(24 * 1024));
      const journal = await openJournal(join(disk, 'spool'), { log });
      const kept: Hint[] = [];
      let refusals = 0;
      while (refusals < 20) {
        const group = [hintOf(), hintOf(), hintOf()];
        const outcomes = await Promise.allSettled(group.map((hint) => journal.append(hint)));
        for (const [index, outcome] of outcomes.entries()) {
          const hint = group[index];
          if (outcome.status === 'fulfilled' && hint !== undefined) kept.push(hint);
          else if (outcome.status === 'rejected') {
            assert.ok(isUnavailable(outcome.reason), String(outcome.reason));
            refusals += 1;
          }
        }
      }
      assert.ok(kept.length > 0);
      await assert.rejects(journal.check(), isUnavailable);
      assert.deepEqual(await readAll(journal), kept);

      unlinkSync(join(disk, 'ballast'));
      await journal.check();
      const last = hintOf();
      await journal.append(last);
      await journal.close();
      const after = await openJournal(join(disk, 'spool'), { log });
      assert.deepEqual(await readAll(after), [...kept, last]);
      await after.close();
    });
    if (skipped !== null) t.skip(skipped);
  });

  it('when it hangs lets nobody wait for long, and keeps what it writes in the end', async () => {
    const journal = await open({ timeoutMs: 50 });
    const before = hintOf();
    await journal.append(before);
    // The thread pool stands in for the disk: with all of its threads busy no write begins.
    const busy = Array.from(
      { length: 16 },
      () => new Promise((resolve) => pbkdf2('p', 's', 150_000, 64, 'sha512', resolve)),
    );
    const caught = hintOf();
    await assert.rejects(journal.append(caught), isUnavailable);
    await assert.rejects(journal.append(hintOf()), isUnavailable);
    await Promise.all(busy);
    for (;;) {
      const outcome = await journal.append(hintOf({ number: 2 })).then(() => 'kept', isUnavailable);
      if (outcome === 'kept') break;
    }
    await journal.check();
    assert.deepEqual((await readAll(journal)).slice(0, 2), [before, caught]);
  });
});

describe('a process that writes the journal', () => {
  function startWriter(): ReturnType<typeof spawn> {
    const script = join(import.meta.dirname, 'journal-writer.ts');
    return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, spool], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  async function acknowledged(writer: ReturnType<typeof spawn>, count: number): Promise<string[]> {
    const builds: string[] = [];
    const closed = once(writer, 'close');
    assert.ok(writer.stdout);
    createInterface({ input: writer.stdout }).on('line', (line) => {
      builds.push(line);
      if (builds.length === count) writer.kill('SIGKILL');
    });
    await closed;
    return builds;
  }

  it('may be killed at any moment: whatever it acknowledged is read back', async () => {
    const builds: string[] = [];
    for (const count of [1, 400, 1500]) builds.push(...(await acknowledged(startWriter(), count)));
    const found = new Set((await readAll(await open())).map(({ build }) => build));
    const lost = builds.filter((build) => build.length === 36 && !found.has(build));
    assert.ok(builds.length > 1900);
    assert.deepEqual(lost, []);
    assert.deepEqual(lines, []);
  });

  it('is alone: a second one fails at once, in the same process and in another', async () => {
    await open();
    await assert.rejects(open(), /another receiver writes the journal/);
    const second = startWriter();
    const [code] = (await once(second, 'exit')) as [number | null];
    assert.equal(code, 1);
  });

  it('leaves no lock behind when it is killed', async () => {
    await acknowledged(startWriter(), 1);
    const journal = await open();
    assert.ok(journal.entries >= 1);
    assert.ok(readFileSync(join(spool, segments()[0] ?? '')).length > 0);
  });
});
