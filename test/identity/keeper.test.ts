/** The grants as they are kept: what they say of a world that cannot be read, or that was changed behind the gateway's back. */
import assert from 'node:assert/strict';
import {
  chownSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { grantsRightAt } from '../../src/identity/grants.ts';
import { type Keeper, openKeeper } from '../../src/identity/keeper.ts';
import type { PersonCard } from '../../src/identity/people.ts';
import { identityState, subjectId } from '../../src/identity/state.ts';
import { createLog } from '../../src/log.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';

const issuer = 'https://login.example';
const begun = 1_800_000_000;

let paths: DataPaths;
let now: number;
let keeper: Keeper;

beforeEach(async () => {
  paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-keeper-')));
  now = begun;
  keeper = await open();
});
afterEach(() => rmSync(paths.root, { recursive: true }));

function open(): Promise<Keeper> {
  return openKeeper({ paths, policyFile: null, log: createLog('test', 'silent'), nowSeconds: () => now });
}

function person(user: string, more: Partial<PersonCard> = {}): PersonCard {
  return { id: subjectId(issuer, user), kind: 'user', issuer, seen: now, user, email: null, groups: [], ...more };
}

describe('the time of the grants', () => {
  const told = async (): Promise<number[]> => [keeper.table().time, Number(await grantsRightAt(paths)) / 1000];

  it('is that of the last look that could read what is revoked, however often the file is written', async () => {
    const folder = join(paths.identity, 'revoked');
    await keeper.revoke({ what: 'id', value: 'a'.repeat(32), at: now });
    renameSync(folder, `${folder}.away`);
    // What leads to itself cannot be read by root either.
    symlinkSync(folder, folder);
    now += 600;
    await keeper.refresh();
    await keeper.admit(person('ann'));
    assert.deepEqual(await told(), [begun, begun]);
    assert.ok(keeper.table().subjects.has(person('ann').id), 'who comes in is known all the same');
    rmSync(folder);
    renameSync(`${folder}.away`, folder);
    await keeper.refresh();
    assert.deepEqual(await told(), [now, now]);
  });

  it('goes on where nothing has changed, and is null where there are no grants', async () => {
    now += 60;
    await keeper.refresh();
    assert.deepEqual(await told(), [now, now]);
    assert.equal(await grantsRightAt({ identity: join(paths.root, 'nowhere') }), null);
  });
});

it('a card that came in the very tick of the last look is in force by the next heartbeat', async () => {
  const { revoked } = identityState(paths);
  await revoked.put('first', { what: 'id', value: 'a'.repeat(32), at: now });
  const sameTick = (): void => utimesSync(join(paths.identity, 'revoked'), begun, begun);
  sameTick();
  await keeper.refresh();
  await revoked.put('second', { what: 'id', value: 'b'.repeat(32), at: now });
  sameTick();
  now += 30;
  await keeper.refresh();
  assert.deepEqual([...keeper.table().revoked].toSorted(), ['a'.repeat(32), 'b'.repeat(32)]);
});

it('a revocation that cannot be read any more stays in force, and the grants grow old until it can', async () => {
  const { revoked } = identityState(paths);
  await revoked.put('first', { what: 'id', value: 'a'.repeat(32), at: now });
  await keeper.refresh();
  const readAt = now;
  writeFileSync(join(paths.identity, 'revoked', 'first.json'), '{"what":"i');
  now += 60;
  await revoked.put('second', { what: 'id', value: 'b'.repeat(32), at: now });
  await keeper.refresh();
  assert.deepEqual([...keeper.table().revoked].toSorted(), ['a'.repeat(32), 'b'.repeat(32)]);
  assert.equal(keeper.table().time, readAt);
  assert.equal((await open()).table().time, 0);
  await revoked.put('first', { what: 'id', value: 'a'.repeat(32), at: now });
  await keeper.refresh();
  assert.equal(keeper.table().time, now);
});

it('a policy counts that was put in the place of another by a link, however old it is', async () => {
  const [open_, closed, link] = ['open.yml', 'closed.yml', 'policy.yml'].map((name) => join(paths.root, name));
  assert.ok(open_ && closed && link);
  writeFileSync(open_, 'version: 1\nrules:\n  - who: { anonymous: true }\n    read: [acme/web]\n');
  writeFileSync(closed, 'version: 1\nrules: []\n');
  for (const file of [open_, closed]) utimesSync(file, begun, begun);
  symlinkSync(open_, link);
  const kept = await openKeeper({ paths, policyFile: link, log: createLog('test', 'silent'), nowSeconds: () => now });
  assert.equal(kept.table().everyone.length, 1);
  rmSync(link);
  symlinkSync(closed, link);
  await kept.refresh();
  assert.deepEqual(kept.table().everyone, []);
});

describe('what a proxy tells of somebody', () => {
  const groups = (): readonly string[] => {
    const card = keeper.subject(person('eve').id);
    return card?.kind === 'user' ? card.groups : [];
  };

  it('counts unless something newer is known, after a restart too', async () => {
    await keeper.admit(person('eve', { told: now - 20, groups: ['wardens'] }));
    await keeper.admit(person('eve', { told: now - 10 }));
    await keeper.admit(person('eve', { told: now - 15, groups: ['wardens'] }));
    assert.deepEqual(groups(), []);
    keeper = await open();
    await keeper.admit(person('eve', { told: now - 15, groups: ['wardens'] }));
    assert.deepEqual(groups(), []);
    await keeper.admit(person('eve', { told: now - 10, groups: ['guests'] }));
    assert.deepEqual(groups(), ['guests']);
  });

  it('counts for nothing against a provider, who is asked when it is needed, whatever the clock said before', async () => {
    await keeper.admit(person('eve', { told: now + 86_400, groups: ['wardens'] }));
    await keeper.admit(person('eve', { groups: [] }));
    assert.deepEqual(groups(), []);
  });

  it('is as new as when it was last told the same', async () => {
    await keeper.admit(person('eve', { told: now - 30 }));
    keeper.confirm(person('eve', { told: now - 10 }));
    await keeper.admit(person('eve', { told: now - 20, groups: ['wardens'] }));
    assert.deepEqual(groups(), []);
  });
});

it('a card that root writes is the mirror’s own user’s, and so are the folders that it is in', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give a file away');
  const own = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-keeper-')));
  t.after(() => rmSync(own.root, { recursive: true }));
  chownSync(own.root, 65_534, 65_533);
  await identityState(own).revoked.put('id-1', { what: 'id', value: 'a'.repeat(32), at: now });
  const made = readdirSync(own.root, { recursive: true }).map(String).toSorted();
  const card = join('state', 'identity', 'revoked', 'id-1.json');
  assert.deepEqual(made, ['state', 'state/identity', 'state/identity/revoked', card]);
  const owners = made.map((name) => statSync(join(own.root, name))).map(({ uid, gid }) => [uid, gid]);
  assert.deepEqual(
    owners,
    Array.from(made, () => [65_534, 65_533]),
  );
});
