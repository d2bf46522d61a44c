import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { createThreads } from '../../src/threads.ts';

const module = new URL('./odd-thread.ts', import.meta.url);
const limits = { threads: 1, mostWaiting: 2, memory: 64 };
const threads = createThreads<string, string>(module, limits);
const patient = 60_000;
after(() => threads.close());

test('a question that never ends, takes all memory or ends its thread is given up, and the next is answered', {
  timeout: 120_000,
}, async () => {
  assert.equal(await threads.ask('a', patient), 'A');
  const odd: [string, number, RegExp][] = [
    ['loops', 1000, /longer than 1 s/],
    ['grows', patient, /memory/i],
    ['leaves', patient, /ended/],
    ['throws', patient, /^it cannot be read$/],
  ];
  for (const [question, ms, why] of odd) {
    await assert.rejects(threads.ask(question, ms), { code: 'ERR_TREE_UNREADABLE', message: why });
    assert.equal(await threads.ask(`after ${question}`, patient), `AFTER ${question.toUpperCase()}`);
  }
});

test('more questions than may wait are refused, the others answered in their order', async () => {
  const answers = ['a', 'b', 'c'].map((each) => threads.ask(each, patient));
  await assert.rejects(threads.ask('d', patient), { code: 'ERR_READER_BUSY' });
  assert.deepEqual(await Promise.all(answers), ['A', 'B', 'C']);
});

test('a large report holds nobody up while it is read', { timeout: 120_000 }, async () => {
  const reader = createReportReader(patient);
  const one = '<testcase classname="a.b" name="adds"><failure message="expected 1">at x.ts:1</failure></testcase>\n';
  const report = Buffer.from(`<testsuite>${one.repeat(40_000)}</testsuite>`);
  let ticks = 0;
  const ticking = setInterval(() => (ticks += 1), 10);
  const read = await reader.junit(report);
  clearInterval(ticking);
  assert.equal(read?.cases.length, 40_000);
  // Read here, it would be one long turn.
  assert.ok(ticks >= 5, `${ticks} turns meanwhile`);
  assert.equal(await reader.junit(Buffer.from('<html/>')), null);
  await reader.close();
});
