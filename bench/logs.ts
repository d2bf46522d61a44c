/** A log of a job's usual kind, printed on our terminal as HTML, indexed, and looked through: megabytes of it a second. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIndexer } from '../src/logs/build-index.ts';
import type { LogIndex } from '../src/logs/index-format.ts';
import { lineHtml } from '../src/logs/line-html.ts';
import { searchLog } from '../src/logs/search-log.ts';
import { Terminal } from '../src/logs/terminal.ts';
import { nodeFlags } from '../src/supervise/plan.ts';
import { withRanges } from '../src/tree/files.ts';
import type { Bench, BenchContext } from './bench.ts';
import { endChild, nextMessage, startScript } from './children.ts';
import type { LogRun } from './logs-run.ts';
import { type Row, spreadOf, type Table } from './measure.ts';
import { openPlace } from './places.ts';

const lines = 400_000;
const usualRounds = 5;
const blockBytes = 64 * 1024;
const targetMbPerSecond = 50;
const mib = 2 ** 20;
const largeBytes = 1024 * mib;

/** Each line with its time, three colours, and letters that take more than a byte. */
function makeLog(): Buffer {
  const start = 1787227200000;
  return Buffer.from(
    Array.from({ length: lines }, (_, at) => {
      const stamp = `\u001b_bk;t=${start + at * 7}\u0007`;
      if (at % 500 === 0) return `${stamp}--- :test_tube: Suite ${at / 500}\r\n`;
      return `${stamp}  \u001b[32m✓\u001b[0m renders page ${at} of the <checkout> \u001b[90m(${at % 40} ms)\u001b[0m\r\n`;
    }).join(''),
  );
}

function render(log: Buffer): number {
  let [number, length] = [0, 0];
  const terminal = new Terminal((row) => {
    number += 1;
    length += lineHtml({ runs: row.runs(), time: row.time }, number).length;
  });
  for (let at = 0; at < log.length; ) {
    const end = at + blockBytes >= log.length ? log.length : log.lastIndexOf(0x0a, at + blockBytes) + 1;
    terminal.feed(log.toString('utf8', at, end));
    at = end;
  }
  terminal.finish();
  return length;
}

function index(log: Buffer): LogIndex {
  const indexer = createIndexer();
  for (let at = 0; at < log.length; at += 1024 * 1024) indexer.write(log.subarray(at, at + 1024 * 1024));
  return indexer.finish();
}

/** One large log, once, in a process of its own. @param log is repeated until it is that large */
async function measureLarge(log: Buffer, { quick, say, signal, cleanUp }: BenchContext): Promise<Table> {
  const title = 'Logs: one of 1 GiB';
  const place = quick ? 'not with --quick' : openPlace('disk', 2 * largeBytes);
  if (typeof place === 'string') return { title, facts: [`skipped: ${place}`], rows: [] };
  cleanUp(() => place.remove());
  say('logs: one of 1 GiB');
  const file = join(place.folder, 'log.txt');
  let size = 0;
  for (; size < largeBytes; size += log.length) appendFileSync(file, log);
  const child = startScript('logs-run.ts', [file], nodeFlags.worker);
  cleanUp(() => endChild(child));
  const run = await nextMessage<LogRun>(child, signal);
  const rows: Row[] = [
    { name: 'to an index', value: spreadOf([run.seconds]), unit: 's' },
    { name: 'the index', value: spreadOf([run.indexBytes / mib]), unit: 'MiB' },
    { name: 'most memory of the process', value: spreadOf([run.peakBytes / mib]), unit: 'MiB' },
    { name: 'its last part, by the index', value: spreadOf(run.partMs), unit: 'ms' },
  ];
  return { title, facts: [`${(size / 1e6).toFixed(0)} MB, ${run.lines} lines; by the clock`], rows };
}

export const logs: Bench = async function* (context) {
  const { rounds, say, signal, cleanUp } = context;
  const log = makeLog();
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bench-'));
  cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'log.txt');
  writeFileSync(file, log);
  const made = index(log);
  const search = (): Promise<unknown> =>
    withRanges(file, (read) => searchLog(read, made, 'nowhere to be found', { from: 1, matches: 1, ms: 60_000 }));
  const sides: [string, () => unknown, number | null][] = [
    ['to HTML', () => render(log), targetMbPerSecond],
    ['to an index', () => index(log), targetMbPerSecond],
    ['searched to its end', search, null],
  ];
  const rows: Row[] = [];
  for (const [name, run, target] of sides) {
    say(`logs: ${name}`);
    const speeds: number[] = [];
    await run();
    for (let round = 0; round < (rounds ?? usualRounds); round += 1) {
      signal.throwIfAborted();
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      speeds.push(log.length / (user + system));
    }
    const value = spreadOf(speeds);
    const met = target === null ? undefined : { text: `≥ ${target} MB/s`, met: value.median >= target };
    rows.push({ name, value, unit: 'MB/s', ...(met !== undefined && { target: met }) });
  }
  const facts = [`${(log.length / 1e6).toFixed(0)} MB, ${lines} lines; in processor time of one thread`];
  yield { title: 'Logs', facts, rows };
  yield await measureLarge(log, context);
};
