/** `kitemirror revoke` by several operators at once; what one revocation does is in test/identity. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { revoke } from '../../src/commands/revoke.ts';
import { parseConfig } from '../../src/config.ts';
import { type Keeper, openKeeper } from '../../src/identity/keeper.ts';
import { identityState } from '../../src/identity/state.ts';
import { createLog } from '../../src/log.ts';
import { dataPaths } from '../../src/tree/paths.ts';

it('of two times before which all is revoked, given at one moment, the later is in force', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'kitemirror-revoke-'));
  t.after(() => rmSync(data, { recursive: true }));
  const env = { KITEMIRROR_DATA: data, BUILDKITE_ORGANIZATION: 'acme' };
  const paths = dataPaths(data);
  const run = (before: string): Promise<number> =>
    revoke.run({
      root: data,
      settings: () => parseConfig(env, 'command', data),
      values: { before },
      words: [],
      io: { say: () => {}, note: () => {}, isWatched: false, columns: 80, redraw: () => {} },
      signal: new AbortController().signal,
      onEnd: () => {},
    });
  const inForce = async (): Promise<number> => {
    const keeper: Keeper = await openKeeper({ paths, policyFile: null, log: createLog('test', 'silent') });
    return keeper.table().before;
  };
  for (let day = 1; day <= 9; day += 1) {
    const [later, earlier] = [`2026-10-0${day}T12:00:00Z`, `2026-10-0${day}T11:00:00Z`];
    assert.deepEqual(await Promise.all([run(later), run(earlier)]), [0, 0]);
    assert.equal(await inForce(), Date.parse(later) / 1000);
  }
  assert.equal((await identityState(paths).revoked.all()).size, 1, 'a start keeps no earlier one');
});
