/** Reads the test reports of one build, in a thread of its own: a large report must not hold the others' answers up. */
import { parentPort, workerData } from 'node:worker_threads';
import { parseJunit, testKey } from '../reports/junit.ts';
import { readIfPresent } from '../tree/files.ts';
import type { TestResult } from './comparison.ts';

const { files } = workerData as { files: readonly string[] };
const [mostTests, longest] = [100_000, 500];

const results: TestResult[] = [];
for (const file of files) {
  for (const test of parseJunit((await readIfPresent(file)) ?? '')?.cases ?? []) {
    if (results.length >= mostTests) break;
    const { className, suite, name, message, outcome } = test;
    const shown = { name, place: className ?? suite, message: message?.slice(0, longest) ?? null };
    results.push({ key: testKey(test), outcome, ...shown });
  }
}
parentPort?.postMessage(results);
