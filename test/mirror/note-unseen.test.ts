/** After how long a 404 is believed: by upstream's clock, whatever ours says. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createLog } from '../../src/log.ts';
import { writeReconcileState } from '../../src/tree/reconcile-state.ts';
import { openUnsettled, readUnsettled } from '../../src/tree/unsettled.ts';
import { noteUnseen } from '../../workers/unseen.ts';
import { preparedData } from '../tree/folder.ts';

const dayMs = 86_400_000;
const ref = { organization: 'acme', pipeline: 'web', number: 7, build: '019a0000-0000-7000-8000-000000000001' };
const iso = (at: number): string => new Date(at).toISOString();
const log = createLog('worker', 'error');

it('a 404 is believed after so many days of upstream’s clock, and never by a jump of ours', async (t) => {
  const paths = await preparedData(t);
  const settings = { unseenDays: 90 };
  const now = Date.now();
  const told = { version: 1, ...ref, pipelineId: null, since: iso(now), learnedFrom: 'webhook' } as const;
  const comparedAt = async (at: number | null): Promise<void> => {
    const completed = at === null ? null : { beganAt: iso(at), endedAt: iso(at) };
    // The mark stays ten minutes behind.
    const mark = iso((at ?? now) - 600_000);
    await writeReconcileState(paths, {
      version: 1,
      mark,
      first: mark,
      comparison: null,
      completed,
      partial: null,
      settings: null,
    });
  };
  const unseenFor = async (days: number): Promise<number | null> => {
    await openUnsettled(paths, { ...told, unseenSince: iso(now - days * dayMs) });
    return noteUnseen({ paths, settings }, ref, log);
  };
  await comparedAt(now);
  assert.equal(typeof (await unseenFor(89.9)), 'number');
  assert.equal(await unseenFor(90.1), null);

  // Ours is ahead of upstream's: it looks like long ago.
  await comparedAt(now - 365 * dayMs);
  assert.equal(typeof (await unseenFor(91)), 'number');
  // Nothing was ever compared: there is nothing to count by.
  await comparedAt(null);
  assert.equal(typeof (await unseenFor(91)), 'number');

  // Ours was years behind when the first 404 came.
  await comparedAt(now);
  await openUnsettled(paths, { ...told, unseenSince: null });
  t.mock.timers.enable({ apis: ['Date'], now: now - 2000 * dayMs });
  await noteUnseen({ paths, settings }, ref, log);
  t.mock.timers.reset();
  assert.ok(Math.abs(Date.parse((await readUnsettled(paths, ref.build))?.unseenSince ?? '') - now) < 1000);
});
