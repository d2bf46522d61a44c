/**
 * `npm run crash-matrix`: kills, ends, fills and fails worker, receiver and backup, their Redis and their clock at every kind of step that they take on a
 * disk, to Redis, to upstream and to a sender, lets them start again, and compares what became of it with what becomes of it when nothing happens.
 *   npm run crash-matrix                          all of it: some thousand cells, hours on two cores
 *   npm run crash-matrix -- retry kill            scenarios and faults by name
 *   npm run crash-matrix -- --step hold:drop      steps whose label holds this
 *   npm run crash-matrix -- --every 20            every twentieth cell
 *   npm run crash-matrix -- --every 2 --from 1    the half that --every 2 leaves out
 *   npm run crash-matrix -- --json                a JSON line a cell
 * exit 0: every cell converged · 1: not, which ones is printed · 130: Ctrl-C
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runMatrix } from './matrix.ts';
import type { Verdict } from './scenario.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    step: { type: 'string', default: '' },
    every: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    'at-once': { type: 'string', default: String(4 * availableParallelism()) },
    json: { type: 'boolean', default: false },
  },
});

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const startedAt = performance.now();
const { verdicts, left } = await runMatrix({
  only: positionals,
  step: values.step,
  every: Math.max(1, Number(values.every)),
  from: Number(values.from),
  atOnce: Math.max(1, Number(values['at-once'])),
  signal: stop.signal,
  onVerdict: (verdict, done, all) => {
    if (values.json) process.stdout.write(`${JSON.stringify(jsonOf(verdict))}\n`);
    else if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${done} of ${all} cells`);
    else if (done % 25 === 0) process.stderr.write(`${done} of ${all} cells\n`);
    for (const fault of verdict.faults) process.stderr.write(`\r\u001b[K${nameOf(verdict)}: ${fault}\n`);
  },
  onRow: (row) => {
    if (!values.json) process.stdout.write(`${lineOf(row)}\n`);
  },
});
for (const why of left) process.stdout.write(`not run: ${why}\n`);
const failed = verdicts.filter(({ faults }) => faults.length > 0).length;
const seconds = Math.round((performance.now() - startedAt) / 1000);
const unmet = verdicts.filter(({ isReached }) => !isReached).length;
if (!values.json) {
  process.stdout.write(
    `\n${verdicts.length} cells in ${seconds} s: ${verdicts.length - failed} converged, ${failed} did not; ${unmet} did not meet their step\n`,
  );
}
// What lost a race still waits for its time to be over, and would keep the process for minutes.
process.exit(stop.signal.aborted ? 130 : failed === 0 && verdicts.length > 0 ? 0 : 1);

function nameOf({ scenario, cell }: Verdict): string {
  return `${scenario}, ${cell.fault} ${cell.when} ${cell.step.label} (${cell.step.occurrence})`;
}

function jsonOf({ scenario, cell, isReached, faults }: Verdict): Record<string, unknown> {
  const { step, when, fault } = cell;
  return { scenario, step: step.label, occurrence: step.occurrence, when, fault, reached: isReached, faults };
}

/** A row a kind of step; in it `✓` converged, `✗` did not, `·` the step was not met. */
function lineOf(row: readonly Verdict[]): string {
  const marks = row.map(({ cell, isReached, faults }) => {
    const mark = faults.length > 0 ? '✗' : isReached ? '✓' : '·';
    return `${cell.fault === 'kill' ? cell.when : cell.fault} ${mark}`;
  });
  const [first] = row;
  return `${(first?.scenario ?? '').padEnd(8)} ${(first?.cell.step.label ?? '').padEnd(80)} ${marks.join('  ')}`;
}
