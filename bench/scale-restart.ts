/** A start on a tree that is there: when Lighttpd answers a file of it, and when the worker is ready to work. */
import { setTimeout as pause } from 'node:timers/promises';
import type { DataPaths } from '../src/tree/paths.ts';
import type { BenchContext } from './bench.ts';
import { until } from './children.ts';
import { type Row, spreadOf } from './measure.ts';
import { organization } from './scale-builds.ts';
import { artifactAddress } from './scale-tree.ts';
import { emptyUpstream, planStack } from './stack.ts';

const targetSeconds = 5;
const readyWithinMs = 120_000;
const lookEveryMs = 10;

/** How long after the worker's death files were asked for, and how many answers were not the file. */
interface Served {
  readonly answers: number;
  readonly slowestMs: number;
}

export async function measureRestart(context: BenchContext, paths: DataPaths): Promise<Row[]> {
  const { signal, say } = context;
  const planned = await planStack(
    { data: paths.root, organization, upstream: await emptyUpstream(context), least: 'error' },
    { signal, readyWithinMs },
  );
  const file = `${planned.url}${artifactAddress(1)}`;
  const startedAt = performance.now();
  const first = until(() => answers(file), file, { signal, everyMs: lookEveryMs }).then(() => secondsSince(startedAt));
  // Where the stack does not start, that is what is told.
  first.catch(() => undefined);
  const stack = await planned.start();
  const readySeconds = secondsSince(startedAt);
  try {
    const firstSeconds = await first;
    say(`scale: a file after ${firstSeconds.toFixed(2)} s, ready after ${readySeconds.toFixed(2)} s`);
    const worker = stack.pids()['worker'];
    if (worker === undefined) throw new Error('no worker runs');
    const metrics = `http://${planned.env['KITEMIRROR_WORKER_METRICS_LISTEN'] ?? ''}/readyz`;
    const killedAt = performance.now();
    process.kill(worker, 'SIGKILL');
    const again = until(() => isAnotherReady(worker, stack.pids()['worker'], metrics), 'the worker', {
      signal,
      everyMs: lookEveryMs,
    }).then(() => secondsSince(killedAt));
    const [againSeconds, served] = await Promise.all([again, readWhile(file, again)]);
    return rowsOf({ readySeconds, firstSeconds, againSeconds, served });
  } finally {
    await stack.stop();
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { headers: { connection: 'close' } }).then(
    async (answer) => {
      await answer.arrayBuffer();
      return answer.status === 200;
    },
    () => false,
  );
}

async function isAnotherReady(old: number, now: number | undefined, readyz: string): Promise<boolean> {
  return now !== undefined && now !== old && (await answers(readyz));
}

/** Asks for the file again and again until `end` is over. @throws Error when one answer is not the file */
async function readWhile(file: string, end: Promise<unknown>): Promise<Served> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  end.then(stop, stop);
  let [count, slowestMs] = [0, 0];
  while (!over.signal.aborted) {
    const askedAt = performance.now();
    if (!(await answers(file))) throw new Error(`${file} was not answered while the worker was away`);
    slowestMs = Math.max(slowestMs, performance.now() - askedAt);
    count += 1;
    await pause(lookEveryMs);
  }
  return { answers: count, slowestMs };
}

function secondsSince(at: number): number {
  return (performance.now() - at) / 1000;
}

interface Restart {
  readonly readySeconds: number;
  readonly firstSeconds: number;
  readonly againSeconds: number;
  readonly served: Served;
}

function rowsOf({ readySeconds, firstSeconds, againSeconds, served }: Restart): Row[] {
  const within = (seconds: number) => ({
    value: spreadOf([seconds]),
    target: { text: `≤ ${targetSeconds} s`, met: seconds <= targetSeconds },
  });
  return [
    { name: "the stack's start to the first file", unit: 's', ...within(firstSeconds) },
    { name: "the stack's start to all ready", unit: 's', ...within(readySeconds) },
    {
      name: "the worker's death to another's readiness",
      unit: 's',
      ...within(againSeconds),
      note: `meanwhile ${served.answers} answers, all with the file, the slowest in ${served.slowestMs.toFixed(0)} ms`,
    },
  ];
}
