/** A person's groups at the provider, asked for again after the login: by a real provider, over the real protocol. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import pino from 'pino';
import { Secret } from '../../src/config/secret.ts';
import { type Keeper, openKeeper } from '../../src/identity/keeper.ts';
import { readKeptTokens } from '../../src/identity/kept-tokens.ts';
import { openPeople, type People } from '../../src/identity/people.ts';
import { openRegrouping, type Regrouping } from '../../src/identity/regrouping.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { until } from '../lighttpd/until.ts';
import { signInAs, startProvider, type TestProvider } from './provider.ts';

const callback = new URL('http://127.0.0.1:9/-/auth/callback');
const [engineer, guest] = [['engineering'], ['guests']];
const account = (groups: string[]) => ({ email: 'ann@example.com', email_verified: true, groups });

let folder: string;
let provider: TestProvider;
let keeper: Keeper;
let people: People;
let regrouping: Regrouping;
let said = '';
let sessionSeconds = 600;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-groups-'));
  said = '';
  sessionSeconds = 600;
});
afterEach(async () => {
  await provider.close();
  rmSync(folder, { recursive: true, force: true });
});

/** @returns the id of Ann, who has signed in */
async function signIn(
  options: Parameters<typeof startProvider>[1],
  tells: TestProvider['tells'] = (_use, told) => told,
): Promise<string> {
  provider = await startProvider(callback.href, options);
  provider.accounts.set('ann', account(engineer));
  provider.tells = tells;
  await start();
  return signInAgain();
}

async function signInAgain(): Promise<string> {
  const begun = await people.begin('/', callback);
  assert.ok(begun !== null);
  const answer = await signInAs('ann', begun.location, callback.href);
  const signedIn = await people.finish(answer, { ...begun.state, expires: 0 });
  await keeper.admit(signedIn.person);
  regrouping.add(signedIn);
  return signedIn.person.id;
}

/** Keeper, provider and regrouping, as a gateway begins with them. */
async function start(): Promise<void> {
  const paths = dataPaths(folder);
  const log = pino({ level: 'debug' }, { write: (line: string) => void (said += line) });
  keeper = await openKeeper({ paths, policyFile: null, log });
  const settings = { clientId: 'mirror', scopes: 'openid email profile', groupsClaim: 'groups', sessionSeconds };
  people = openPeople({ ...settings, issuer: provider.issuer, assertion: null }, new Secret('sesame'));
  regrouping = await openRegrouping(keeper, people, paths, log);
}

function groupsOf(id: string): readonly string[] {
  const card = keeper.subject(id);
  return card?.kind === 'user' ? card.groups : [];
}

function emailOf(id: string): string | null {
  const card = keeper.subject(id);
  return card?.kind === 'user' ? card.email : null;
}

const refreshes = (): number => provider.grants.filter((type) => type === 'refresh_token').length;

async function untilRefreshed(): Promise<void> {
  const before = refreshes();
  await until('there is another access token', async () => {
    await regrouping.round();
    return refreshes() > before;
  });
}

describe('the groups of somebody who is signed in', () => {
  it('stay as they are while the provider is away, and are right again once it is back', async () => {
    const id = await signIn({});
    provider.accounts.set('ann', account(guest));
    provider.isAway = true;
    await regrouping.round();
    assert.deepEqual(groupsOf(id), engineer);
    assert.match(said, /was not heard about everybody/);
    provider.isAway = false;
    await regrouping.round();
    assert.deepEqual(groupsOf(id), guest);
  });

  it('are told apart whatever their names hold, and are the same in any order', async () => {
    const id = await signIn({});
    for (const groups of [['wardens,engineering'], ['wardens', 'engineering'], []]) {
      provider.accounts.set('ann', account(groups));
      await regrouping.round();
      assert.deepEqual(groupsOf(id), groups);
    }
    provider.accounts.set('ann', account(['a', 'b']));
    await regrouping.round();
    said = '';
    provider.accounts.set('ann', account(['b', 'a']));
    await regrouping.round();
    assert.equal(said, '');
  });

  it('are asked for beyond the life of the access token, where there is a refresh token', async () => {
    const id = await signIn({ accessTokenLife: 1, refreshes: true });
    let turn = 0;
    await until('two access tokens have ended', async () => {
      const groups = [`group-${(turn += 1)}`];
      provider.accounts.set('ann', account(groups));
      await regrouping.round();
      assert.deepEqual(groupsOf(id), groups);
      return provider.grants.filter((type) => type === 'refresh_token').length >= 2;
    });
  });

  it('are asked for by another gateway after a restart, and by its newer tokens', async () => {
    const id = await signIn({ accessTokenLife: 1, refreshes: true });
    for (let restart = 0; restart < 3; restart += 1) {
      provider.accounts.set('ann', account([`group-${restart}`]));
      await until('the access token has ended', async () => {
        await regrouping.round();
        return provider.grants.filter((type) => type === 'refresh_token').length > restart;
      });
      provider.accounts.set('ann', account([`later-${restart}`]));
      await start();
      await regrouping.round();
      assert.deepEqual(groupsOf(id), [`later-${restart}`]);
    }
    const file = join(dataPaths(folder).identity, 'asking');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(file, 'latin1'), /ann@example\.com|access_token/);
  });

  it('are asked for as long as a link of theirs may hold, after another login and a restart too', async () => {
    // A session that is over: by itself it is nothing to ask for.
    sessionSeconds = -60;
    const id = await signIn({});
    provider.accounts.set('ann', account(['left']));
    const inAWeek = Math.floor(Date.now() / 1000) + 7 * 86_400;
    regrouping.askUntil(id, inAWeek);
    regrouping.askUntil(id, inAWeek - 86_400);
    await regrouping.round();
    assert.deepEqual(groupsOf(id), ['left']);
    await signInAgain();
    for (const groups of [['after a login'], ['after a restart']]) {
      provider.accounts.set('ann', account(groups));
      await regrouping.round();
      assert.deepEqual(groupsOf(id), groups);
      await start();
    }
    const [kept] = (await readKeptTokens(dataPaths(folder), keeper.table().keys, assert.fail)).values();
    assert.equal(kept?.until, inAWeek);
  });

  it('are asked for no more when no session and no link can be left', async () => {
    sessionSeconds = -60;
    const id = await signIn({});
    provider.accounts.set('ann', account(guest));
    await regrouping.round();
    assert.deepEqual(groupsOf(id), engineer);
  });

  it('stay those of the last login, and that is said, where by what they are asked for was damaged', async () => {
    const id = await signIn({});
    await regrouping.round();
    const file = join(dataPaths(folder).identity, 'asking');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/.{8}$/, 'AAAAAAAA'));
    provider.accounts.set('ann', account(guest));
    await start();
    await regrouping.round();
    assert.deepEqual(groupsOf(id), engineer);
    assert.match(said, /they cannot be opened/);
  });

  it('stay those that were told last when the access token has ended and there is no other', async () => {
    const id = await signIn({ accessTokenLife: 1 });
    let turn = 0;
    await until('the access token has ended', async () => {
      provider.accounts.set('ann', account([`group-${(turn += 1)}`]));
      await regrouping.round();
      return String(groupsOf(id)) !== `group-${turn}`;
    });
    assert.equal(groupsOf(id).length, 1);
    assert.equal(keeper.table().subjects.get(id)?.since, 0);
  });
});

describe('what the login’s id token said', () => {
  const { email: _, ...nameless } = account([]);
  /** As a provider that has but the name to tell at its userinfo address. */
  const inTokenAlone: TestProvider['tells'] = (use, told) => (use === 'id_token' ? told : {});

  it('of groups is over once the userinfo address tells of none, also after a restart', async () => {
    const id = await signIn({});
    provider.tells = (_use, { groups: __, ...told }) => told;
    await regrouping.round();
    assert.deepEqual(groupsOf(id), []);
    assert.equal(emailOf(id), 'ann@example.com');
    await start();
    await regrouping.round();
    assert.deepEqual(groupsOf(id), []);
  });

  it('of an address is over with the address, and vouches for no other', async () => {
    const id = await signIn({});
    assert.equal(emailOf(id), 'ann@example.com');
    provider.tells = (use, told) => (use === 'id_token' ? told : { email: 'boss@example.com', groups: engineer });
    await regrouping.round();
    assert.equal(emailOf(id), null);
    provider.tells = (use, told) => (use === 'id_token' ? told : { ...nameless, groups: engineer });
    await regrouping.round();
    assert.equal(emailOf(id), null);
    assert.deepEqual(groupsOf(id), engineer);
  });

  it('counts while nothing newer is told, where the provider tells it in id tokens alone', async () => {
    const id = await signIn({}, inTokenAlone);
    await regrouping.round();
    assert.deepEqual([groupsOf(id), emailOf(id)], [engineer, 'ann@example.com']);
  });

  it('is replaced by what the id token of a refresh says, and by what it leaves out', async () => {
    const id = await signIn({ accessTokenLife: 1, refreshes: true }, inTokenAlone);
    provider.accounts.set('ann', account(guest));
    await untilRefreshed();
    assert.deepEqual([groupsOf(id), emailOf(id)], [guest, 'ann@example.com']);
    provider.accounts.set('ann', {});
    await untilRefreshed();
    assert.deepEqual([groupsOf(id), emailOf(id)], [[], null]);
  });

  it('counts no more after a refresh that came without an id token', async () => {
    const id = await signIn({ accessTokenLife: 1, refreshes: true, idTokensAgain: false }, inTokenAlone);
    await untilRefreshed();
    assert.deepEqual([groupsOf(id), emailOf(id)], [[], null]);
    await start();
    await regrouping.round();
    assert.deepEqual([groupsOf(id), emailOf(id)], [[], null]);
  });
});

it('an address that the provider does not call verified counts for nothing', async () => {
  const id = await signIn({}, (_use, { email_verified: __, ...told }) => told);
  assert.equal(emailOf(id), null);
  assert.deepEqual(groupsOf(id), engineer);
});

it('who is signed in stays so while the provider refuses the mirror itself, as after its secret was changed', async () => {
  const id = await signIn({ accessTokenLife: 1, refreshes: true });
  provider.accounts.set('ann', account(guest));
  for (const [status, error] of [
    [401, 'invalid_client'],
    [400, 'unauthorized_client'],
    [400, 'unsupported_grant_type'],
    [400, 'invalid_request'],
    [400, 'invalid_scope'],
    [403, 'access_denied'],
  ] as const) {
    provider.refuses = { status, error };
    said = '';
    await until('it was asked for another token', async () => {
      await regrouping.round();
      return said.includes(`the provider says ${error}`);
    });
    assert.equal(keeper.table().subjects.get(id)?.since, 0, error);
  }
  provider.refuses = null;
  provider.accounts.set('ann', account(['mended']));
  await regrouping.round();
  assert.deepEqual(groupsOf(id), ['mended']);
});

it('somebody whose account was closed is out, and that is on record', async () => {
  const id = await signIn({ accessTokenLife: 1, refreshes: true });
  provider.closed.add('ann');
  await until('the provider takes the token no more', async () => {
    await regrouping.round();
    return keeper.table().subjects.get(id)?.since !== 0;
  });
  const month = new Date().toISOString().slice(0, 7);
  const lines = readFileSync(join(dataPaths(folder).audit, `${month}.jsonl`), 'utf8');
  assert.match(lines, /"action":"revoke","who":"ann@example\.com".*does not vouch/);
});
