import assert from 'node:assert/strict';
import { it } from 'node:test';
import { MirrorError } from '../../src/errors.ts';
import { readReadiness } from '../../src/webhooks/readiness.ts';

const now = 1_800_000_000_000;
const writable = { check: async () => undefined };
const full = {
  check: async () => {
    throw new MirrorError('ERR_JOURNAL_UNAVAILABLE', 'no room');
  },
};
const safe = { fault: null };
const away = new MirrorError('ERR_QUEUE_UNAVAILABLE', 'Redis does not answer');

it('the receiver is ready while it can keep and enqueue what comes', async () => {
  const { ready, checks } = await readReadiness(writable, { trouble: null }, safe, now);
  assert.equal(ready, true);
  assert.deepEqual(checks, { journal: 'ok', queue: 'ok' });
});

it('the receiver is not ready while the journal cannot be written', async () => {
  const { ready, checks } = await readReadiness(full, { trouble: null }, safe, now);
  assert.equal(ready, false);
  assert.deepEqual(checks, { journal: 'no room', queue: 'ok' });
});

it('the receiver is ready for 30 seconds without Redis, and no longer', async () => {
  const since = now - 30_000;
  const just = await readReadiness(writable, { trouble: { since, error: away } }, safe, now);
  assert.deepEqual(just, { ready: true, checks: { journal: 'ok', queue: 'Redis does not answer, for 30 s' } });
  const late = await readReadiness(writable, { trouble: { since, error: null } }, safe, now + 1);
  assert.deepEqual(late, {
    ready: false,
    checks: { journal: 'ok', queue: 'Redis has not been reached yet, for 30 s' },
  });
});

it('the receiver is not ready for a Redis that may drop what it is given', async () => {
  const { ready, checks } = await readReadiness(writable, { trouble: null }, { fault: 'it evicts' }, now);
  assert.equal(ready, false);
  assert.deepEqual(checks, { journal: 'ok', queue: 'it evicts' });
});
