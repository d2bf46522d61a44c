/**
 * `npm run bench [NAME …]`: the mirror beside what else there is, in one run against the same local origin. Prints
 * medians with their spread, and ratios of neighbouring rounds: those hold on a busy machine too.
 * A bench that has parts runs one of them as NAME/PART: `budget/portal/4` is the plan `portal` with four workers,
 * `pages/1000,100000` and `scale/100000` are those sizes alone.
 *   --rounds N   how often each side has its turn
 *   --quick      no tree of a million artifacts, no log of 1 GiB
 *   --json       one JSON document on stdout
 *   --quiet      no progress on stderr
 */
import { parseArgs } from 'node:util';
import { readEnv } from '../src/config.ts';
import { toMirrorError } from '../src/errors.ts';
import type { Bench, BenchContext } from './bench.ts';
import { buckets } from './buckets.ts';
import { budget } from './budget.ts';
import { deliveries } from './deliveries.ts';
import { large } from './large.ts';
import { latency } from './latency.ts';
import { logs } from './logs.ts';
import { renderTable, type Table } from './measure.ts';
import { pages } from './pages.ts';
import { scale } from './scale.ts';
import { serve } from './serve.ts';
import { small } from './small.ts';
import { root } from './stack.ts';

const benches: Record<string, Bench> = {
  small,
  large,
  deliveries,
  latency,
  budget,
  buckets,
  logs,
  pages,
  scale,
  serve,
};
const usage = `Usage: npm run bench [-- NAME[/PART] …] [--rounds N] [--quick] [--json] [--quiet]\n  names: ${Object.keys(benches).join(', ')}\n`;
/** A bench that takes longer hangs. */
const benchMs = 30 * 60_000;

process.exitCode = await main();

interface Options {
  readonly names: readonly string[];
  readonly rounds: number | null;
  readonly quick: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 64;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stop.abort(new Error(signal)));
  const tables: Table[] = [];
  try {
    for (const name of options.names) {
      for await (const table of run(name, options, stop.signal)) {
        tables.push(table);
        if (!options.json) process.stdout.write(`${renderTable(table)}\n\n`);
      }
    }
  } catch (error) {
    process.stderr.write(`bench: ${toMirrorError(error).message}\n`);
    return stop.signal.aborted ? 130 : 1;
  }
  if (options.json) process.stdout.write(`${JSON.stringify(tables, null, 2)}\n`);
  return 0;
}

async function* run(name: string, { rounds, quick, quiet }: Options, stop: AbortSignal): AsyncGenerator<Table> {
  const [title = '', ...part] = name.split('/');
  const bench = benches[title] ?? small;
  const ends: (() => Promise<void> | void)[] = [];
  const context: BenchContext = {
    signal: AbortSignal.any([stop, AbortSignal.timeout(benchMs)]),
    path: readEnv(root)['PATH'] ?? '',
    part: part.join('/'),
    rounds,
    quick,
    say: (line) => void (quiet || process.stderr.write(`${line}\n`)),
    cleanUp: (work) => void ends.unshift(work),
  };
  try {
    yield* bench(context);
  } finally {
    for (const end of ends) await end();
  }
}

function readOptions(): Options | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        quiet: { type: 'boolean', default: false },
      },
    });
    const rounds = values.rounds === undefined ? null : Number(values.rounds);
    if (rounds !== null && !(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds is a whole number');
    const unknown = positionals.find((name) => !Object.hasOwn(benches, name.replace(/\/.*/, '')));
    if (unknown !== undefined) throw new Error(`no bench is called ${unknown}`);
    const names = positionals.length === 0 ? Object.keys(benches) : positionals;
    return { names, rounds, quick: values.quick, json: values.json, quiet: values.quiet };
  } catch (error) {
    process.stderr.write(`bench: ${toMirrorError(error).message}\n${usage}`);
    return null;
  }
}
