/** What anybody can have written into the audit is bounded, and what is left out is counted. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createLog } from '../../src/log.ts';
import { refusalRecord } from '../../src/readers/refusals.ts';
import { auditParts } from '../../src/tree/audit.ts';
import { jsonLines } from '../../src/tree/json-lines.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { until } from '../lighttpd/until.ts';

it('a flood of refusals from one address leaves room for another’s, and is told as a number', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'kitemirror-refusals-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const paths = dataPaths(root);
  const lines = async (): Promise<Record<string, unknown>[]> => {
    const [part] = auditParts(paths);
    const found: Record<string, unknown>[] = [];
    const onFault = (fault: unknown): never => assert.fail(String(fault));
    for await (const line of jsonLines(join(paths.audit, part?.name ?? ''), onFault)) found.push(line);
    return found;
  };
  const refuse = refusalRecord(paths, createLog('test', 'silent'), 3000);
  const from = async (address: string, times: number): Promise<void> => {
    for (let count = 0; count < times; count += 1)
      await refuse({ action: 'refusal', what: 'exchange', reason: 'invalid', address });
  };
  await from('203.0.113.1', 500);
  await from('203.0.113.2', 3);
  const summary = /^(\d+) more were refused/;
  const told = async (): Promise<number[]> =>
    (await lines()).flatMap(({ reason }) =>
      summary.test(String(reason)) ? [Number.parseInt(String(reason), 10)] : [],
    );
  await until('what was left out is told', async () => (await told()).length > 0, 30_000);
  const written = await lines();
  const of = (address: string): number => written.filter((line) => line['address'] === address).length;
  assert.equal(of('203.0.113.2'), 3);
  assert.ok(of('203.0.113.1') >= 60 && of('203.0.113.1') < 500);
  assert.equal(of('203.0.113.1') + (await told()).reduce((sum, more) => sum + more, 0), 500);
});
