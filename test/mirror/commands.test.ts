/** The commands that work with a running mirror: real Redis, a real worker, the stand-in for Buildkite. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { defaultToken } from '../../demo/standin/tokens.ts';
import { kitemirror, startKitemirror } from '../commands/scene.ts';
import { type Mirror, startMirror } from './harness.ts';
import { newBuild, scriptOf } from './samples.ts';
import { until } from './until.ts';

const day = 86_400_000;
const managing = {
  ...defaultToken,
  token: 'bkua_manages',
  scopes: [...defaultToken.scopes, 'read_notification_services', 'write_notification_services'],
};
const secret = 'a-webhook-token';
let mirror: Mirror;
before(async () => {
  mirror = await startMirror({
    standIn: { tokens: [defaultToken, managing] },
    env: { KITEMIRROR_RECONCILE_SECONDS: '86400', KITEMIRROR_URL: 'https://mirror.example' },
  });
});
after(() => mirror.stop());

async function run(words: string[], env: Record<string, string> = {}) {
  const ran = await kitemirror(words, { ...mirror.environment(), ...env });
  assert.ok(
    !`${ran.out}${ran.err}`.includes(defaultToken.token) && !`${ran.out}${ran.err}`.includes(secret),
    'a secret',
  );
  return { ...ran, json: () => JSON.parse(ran.out) as Record<string, unknown> };
}

describe('kitemirror backfill', () => {
  const old = [2, 3, 4].map((days) => newBuild({ pipeline: 'old', number: days, finishedAt: Date.now() - days * day }));
  const elsewhere = newBuild({ pipeline: 'elsewhere', finishedAt: Date.now() - 3 * day });

  it('--dry-run tells what it would cost and records nothing', async () => {
    for (const build of [...old, elsewhere]) mirror.standIn.put(build);
    const { code, json } = await run(['backfill', '--since', '10d', '--pipeline', 'old', '--dry-run', '--json']);
    const { listed, lacking, sampled, requests, bytes } = json();
    assert.deepEqual([code, listed, lacking, sampled], [0, 3, 3, 3]);
    // Of each: the build, its annotations, a listing, a download, a log.
    assert.deepEqual([requests, bytes], [15, 3 * 64]);
    assert.equal(
      old.some(({ id }) => existsSync(mirror.paths.unsettledBuild(id))),
      false,
    );
  });

  it('mirrors what finished in a range, says how it was learned of, and does nothing the second time', async () => {
    const words = ['backfill', '--since', '84h', '--until', '60h', '--pipeline', 'old', '--json'];
    const first = await run(words);
    assert.deepEqual([first.code, first.json()], [0, { listed: 1, lacking: 1, fetched: 1 }], first.err);
    const record = await mirror.settled(old[1] ?? elsewhere);
    assert.deepEqual([record.complete, record.learned_from], [true, 'backfill']);
    const second = await run(words);
    assert.deepEqual([second.code, second.json()], [0, { listed: 1, lacking: 0, fetched: 0 }]);
  });

  it('--again notes what Buildkite has deleted since', async () => {
    const [, build = elsewhere] = old;
    const job = scriptOf(build);
    const artifacts = job.artifacts.map((artifact) => ({ ...artifact, state: 'expired' as const }));
    mirror.standIn.put({ ...build, jobs: [{ ...job, artifacts }] });
    const { code } = await run(['backfill', '--since', '84h', '--until', '60h', '--pipeline', 'old', '--again']);
    assert.equal(code, 0);
    await mirror.idle();
    const [artifact] = mirror.job(build, job.id).artifacts;
    assert.deepEqual([artifact?.state, artifact?.upstream_state], ['present', 'expired']);
  });

  it('killed while it lists goes on where it was, and leaves nothing out', async (t) => {
    const beside = await startMirror();
    t.after(() => beside.stop());
    await beside.stopWorker();
    const builds = Array.from({ length: 230 }, () => newBuild({ pipeline: 'many', jobs: 1 }));
    for (const build of builds) beside.standIn.put(build);
    const third = beside.standIn.faults.add({ at: 'api', path: /\/builds$/, kind: 'hang', after: 2 });
    const words = ['backfill', '--since', '10d', '--no-wait', '--json'];
    const first = startKitemirror(words, beside.environment());
    const ended = once(first, 'close');
    const notes = dirname(beside.paths.backfill('any'));
    await until(() => third.hits === 1 && readdirSync(notes).length > 0, 'the third page to be asked for');
    first.kill('SIGKILL');
    await ended;
    third.remove();
    const late = newBuild({ pipeline: 'many', finishedAt: Date.now() });
    // It was there when the pages that have been read were read, and ran.
    const long = { ...newBuild({ pipeline: 'many', finishedAt: Date.now() }), createdAt: Date.now() - day / 48 };
    for (const build of [late, long]) beside.standIn.put(build);
    const gaps = (): number => builds.filter(({ id }) => existsSync(beside.paths.unsettledBuild(id))).length;
    assert.ok(gaps() >= 100 && gaps() <= 200, `${gaps()} were recorded`);
    const { code, out, err } = await kitemirror(words, beside.environment());
    assert.equal(code, 0, err);
    const { listed } = JSON.parse(out) as { listed: number };
    assert.ok(listed >= 30 && listed < 230, `${listed} were listed again`);
    assert.equal(gaps(), 230);
    for (const { id } of [late, long]) assert.ok(existsSync(beside.paths.unsettledBuild(id)), 'what finished since');
    assert.match(err, /Goes on with the run of 20/);
    assert.deepEqual(readdirSync(notes), []);
  });

  it('refuses a time that is none', async () => {
    const { code, err } = await run(['backfill', '--since', 'yesterday']);
    assert.equal(code, 64);
    assert.match(err, /--since is "yesterday", not a day \(2026-11-20\), an instant/);
  });
});

describe('a command that is told nonsense', () => {
  it('refuses a range that holds nothing, and a state that no finished build has', async () => {
    for (const [words, expected] of [
      [['--since', '5d', '--until', '9d'], /is not before --until/],
      [['--state', 'pased'], /--state is "pased", not one of passed, failed/],
    ] as const) {
      const { code, err } = await run(['backfill', ...words]);
      assert.equal(code, 64);
      assert.match(err, expected);
    }
  });

  it('calls nothing well where there is no mirror, and makes none', async () => {
    const nowhere = join(mirror.paths.root, '..', 'nowhere');
    for (const words of [['status'], ['verify'], ['pin'], ['reconcile'], ['retention', '--dry-run']]) {
      const { code, err } = await run(words, { KITEMIRROR_DATA: nowhere });
      assert.equal(code, 78, words.join(' '));
      assert.match(err, /holds no mirror: is KITEMIRROR_DATA right/);
    }
    assert.equal(existsSync(nowhere), false);
  });
});

describe('kitemirror reconcile', () => {
  it('looks back as far as it is told, and says what differs', async () => {
    const { code, out } = await run(['reconcile', '--since', '10d']);
    assert.equal(code, 0);
    assert.match(out, /4 builds \(1 unchanged, 3 unknown\) in 1 requests\. 3 builds are recorded as gaps/);
    await mirror.idle();
    const { json } = await run(['reconcile', '--since', '10d', '--json']);
    const { builds, requests } = json();
    assert.deepEqual([requests, (builds as Record<string, number>)['unchanged']], [1, 4]);
  });
});

describe('kitemirror tasks and status', () => {
  it('show a gap, try it again, and are well when it is closed', async () => {
    const build = newBuild({ finishedAt: Date.now() - 2 * 3_600_000 });
    mirror.standIn.put(build);
    const fault = mirror.standIn.faults.add({ at: 'api', path: '/download', kind: 'status', status: 500, times: 1e6 });
    await mirror.tell(build);
    await mirror.jobRecord(build, scriptOf(build).id, ({ artifacts }) => artifacts[0]?.state === 'failed');
    const listed = (await run(['tasks', '--json'])).json()['tasks'] as Record<string, unknown>[];
    const waiting = listed.find(({ name, build: of }) => name === 'mirror-job' && of === build.id);
    assert.ok(waiting !== undefined, JSON.stringify(listed));
    const { json } = await run(['status', '--json']);
    assert.equal((json()['gaps'] as Record<string, unknown>)['unsettled'], 1);
    fault.remove();
    assert.equal((await run(['tasks', 'retry', build.id])).code, 0);
    assert.equal((await mirror.settled(build)).complete, true);
    const { code, out } = await run(['status']);
    assert.equal(code, 0, out);
    assert.match(out, /^gaps +0 unsettled, 0 incomplete, 0 files lost$/m);
    assert.match(out, /^disk +.* free/m);
  });

  it('refuse an id that is not there, and words that are none', async () => {
    assert.equal((await run(['tasks', 'drop', '00000000-0000-4000-8000-000000000000'])).code, 1);
    assert.equal((await run(['tasks', 'eat'])).code, 64);
    assert.equal((await run(['tasks', 'retry'])).code, 64);
  });

  it('drop a task and leave the gap', async () => {
    const build = newBuild({ finishedAt: Date.now() - 2 * 3_600_000 });
    mirror.standIn.put(build);
    const fault = mirror.standIn.faults.add({
      at: 'api',
      path: `/builds/${build.number}`,
      kind: 'status',
      status: 500,
      times: 1e6,
    });
    await mirror.tell(build);
    await until(() => fault.hits > 3, 'the task to fail');
    const isIt = ({ build: of, state }: Record<string, unknown>): boolean => of === build.id && state === 'delayed';
    let task: Record<string, unknown> | undefined;
    await until(
      async () => {
        const all = (await run(['tasks', '--json'])).json()['tasks'] as Record<string, unknown>[];
        task = all.find(isIt);
        return task !== undefined;
      },
      'the task to rest',
      60_000,
    );
    // It may have begun another attempt meanwhile; each rests longer than the one before.
    const id = String(task?.['id']);
    await until(async () => (await run(['tasks', 'drop', id])).code === 0, 'the task to be dropped', 60_000);
    assert.ok(existsSync(mirror.paths.unsettledBuild(build.id)));
    fault.remove();
    assert.equal((await run(['tasks', 'retry', build.id])).code, 0);
    assert.equal((await mirror.settled(build)).complete, true);
  });
});

describe('kitemirror webhook', () => {
  const env = { BUILDKITE_API_TOKEN: managing.token, BUILDKITE_WEBHOOK_TOKEN: secret };
  const find = () =>
    mirror.standIn.services.find(({ settings }) => String(settings['url']).startsWith('https://mirror.example'));

  it('tells a script on stdout, too, that the token may not look', async () => {
    const { code, err, json } = await run(['webhook', 'check', '--json']);
    const { error, message } = json();
    assert.deepEqual([code, error], [78, 'ERR_UPSTREAM_DENIED']);
    assert.equal(err, `kitemirror webhook: ${String(message)}\n`);
  });

  it('says that there is none, installs it, and finds it well', async () => {
    const absent = await run(['webhook'], env);
    assert.equal(absent.code, 1);
    assert.match(
      absent.out,
      /has no webhook for https:\/\/mirror\.example\/-\/webhooks\/buildkite\nRun `kitemirror webhook install`/,
    );
    assert.equal((await run(['webhook', 'install'], env)).code, 0);
    assert.deepEqual(find()?.settings, {
      version: 3,
      url: 'https://mirror.example/-/webhooks/buildkite',
      token: secret,
      token_mode: 'signature',
      events: ['build.finished', 'job.finished'],
      tls_verify: true,
    });
    assert.deepEqual((await run(['webhook', 'check', '--json'], env)).json()['findings'], []);
    await run(['webhook', 'install'], env);
    assert.equal(mirror.standIn.services.length, 1, 'a second one is not made');
  });

  it('names each thing that is wrong, and mends what may be mended', async () => {
    const service = find();
    assert.ok(service !== undefined);
    Object.assign(service, { enabled: false, branch_configuration: 'main' });
    Object.assign(service.settings, { token_mode: 'token', events: ['ping'], tls_verify: false, token: 'another' });
    const { code, json } = await run(['webhook', '--json'], env);
    const codes = (json()['findings'] as { code: string }[]).map((finding) => finding.code);
    assert.deepEqual([code, codes], [1, ['disabled', 'events', 'mode', 'token', 'tls', 'branches']]);
    const repaired = await run(['webhook', 'repair'], env);
    assert.equal(repaired.code, 1, 'the branches are the operator’s');
    assert.match(repaired.out, /limited to some branches/);
    assert.deepEqual(
      [service.enabled, service.settings['token_mode'], service.settings['token']],
      [true, 'signature', secret],
    );
    assert.deepEqual(service.settings['events'], ['ping', 'build.finished', 'job.finished']);
  });

  it('says which scope is missing', async () => {
    const { code, err } = await run(['webhook'], { BUILDKITE_WEBHOOK_TOKEN: secret });
    assert.equal(code, 78);
    assert.match(err, /may not read services \(missing scope\?\)/);
  });

  it('is looked at by the worker, which says what is wrong and mends it only if it may', async () => {
    const service = find();
    assert.ok(service !== undefined);
    Object.assign(service, { enabled: false, branch_configuration: '' });
    const unwell = async (): Promise<boolean> =>
      ((await run(['status', '--json'], env)).json()['webhook'] as Record<string, unknown>)['healthy'] === false;
    await mirror.stopWorker();
    await mirror.startWorker({ ...env, KITEMIRROR_RECONCILE_SECONDS: '1' });
    await until(unwell, 'the webhook to be found disabled', 60_000);
    assert.equal(service.enabled, false);
    assert.ok(mirror.output.some((line) => line.includes('not as it should be') && line.includes('disabled')));
    await mirror.stopWorker();
    await mirror.startWorker({ ...env, KITEMIRROR_RECONCILE_SECONDS: '1', KITEMIRROR_WEBHOOK_REPAIR: 'on' });
    await until(() => service.enabled, 'the webhook to be repaired', 60_000);
  });
});

describe('kitemirror doctor', () => {
  const look = async (env: Record<string, string>, ...words: string[]) => {
    const { code, json } = await run(['doctor', '--json', ...words], env);
    const findings = json()['findings'] as { check: string; grade: string; found: string; remedy: string | null }[];
    return { code, of: (check: string) => findings.filter((finding) => finding.check === check) };
  };

  it('names what is wrong with its remedy, and what is well', async () => {
    const { code, of } = await look({});
    assert.equal(code, 1, 'nothing answers at KITEMIRROR_URL');
    assert.match(of('address')[0]?.found ?? '', /does not answer/);
    assert.deepEqual(
      of('token').map(({ grade }) => grade),
      ['ok', 'ok', 'ok'],
    );
    assert.deepEqual([of('webhook')[0]?.grade, of('disk')[0]?.grade], ['skipped', 'ok']);
    assert.match(
      of('redis')
        .map(({ grade, found }) => `${grade} ${found}`)
        .join(),
      /ok Redis .* does not evict,warn Redis keeps/,
    );
    assert.match(of('lighttpd')[0]?.found ?? '', /^Lighttpd 1\.4\.\d+ takes its configuration/);
  });

  it('warns of scopes that nothing uses, and knows those that a setting asks for', async () => {
    const scopes = [...defaultToken.scopes, 'write_builds', 'graphql', 'write_notification_services'];
    const rich = { ...defaultToken, token: 'bkua_rich', scopes };
    (mirror.standIn.tokens as (typeof rich)[]).push(rich);
    const surplus = async (more: Record<string, string>): Promise<unknown> => {
      const { of } = await look({ BUILDKITE_API_TOKEN: rich.token, ...more });
      const [needed, found] = of('token');
      assert.deepEqual([needed?.grade, found?.grade], ['ok', 'warn']);
      return found?.found.split(': ')[1];
    };
    assert.equal(await surplus({ BUILDKITE_GRAPHQL: 'off' }), 'write_builds, graphql, write_notification_services');
    assert.equal(await surplus({ BUILDKITE_GRAPHQL: 'on', KITEMIRROR_WEBHOOK_REPAIR: 'on' }), 'write_builds');
  });

  it('says who reads and from where, and warns of a mirror that is open beyond this machine', async () => {
    const readers = async (env: Record<string, string>): Promise<string> => {
      const { of } = await look({ KITEMIRROR_URL: 'http://127.0.0.1:8080', ...env });
      return of('readers')
        .map(({ grade, found }) => `${grade} ${found}`)
        .join('\n');
    };
    assert.match(await readers({}), /^ok open: no identity is set up, .*; only this machine reaches it$/);
    assert.match(await readers({ KITEMIRROR_LISTEN: '0.0.0.0:8080' }), /^warn open: .*beyond this machine/);
    const file = join(mirror.paths.root, 'policy.yml');
    const under = (rules: string): Promise<string> => {
      writeFileSync(file, `version: 1\nrules: [${rules}]\n`);
      return readers({ KITEMIRROR_POLICY: file });
    };
    assert.match(await under(''), /^ok nothing is read but .*\nwarn the policy lets nobody read anything$/);
    assert.match(
      await under('{ public: true, read: acme/web }'),
      /\nok rules that hold for everybody, without a login: 1$/,
    );
    assert.match(
      await under('{ who: { anonymous: true }, read: acme/* }'),
      /\nwarn a rule of the policy opens every pipeline/,
    );
    writeFileSync(file, 'version: 1\nrules: [{ who: { group: ops }, read: acme/web }]\n');
    const login = {
      KITEMIRROR_POLICY: file,
      KITEMIRROR_OIDC_ISSUER: 'https://login.example',
      KITEMIRROR_OIDC_CLIENT_ID: 'x',
    };
    assert.match(await readers(login), /\nwarn groups of who is signed in may stay those of the last login/);
    const refreshed = await readers({ ...login, KITEMIRROR_OIDC_SCOPES: 'openid email offline_access' });
    assert.doesNotMatch(refreshed, /groups/);
    const { of } = await look({ KITEMIRROR_WEBHOOK_ADDRESSES: 'buildkite' });
    assert.deepEqual(
      [of('senders')[0]?.grade, of('senders')[0]?.found],
      ['warn', 'Buildkite’s addresses are not known yet: deliveries are taken from everywhere'],
    );
  });

  it('warns of a token that ends within a week, and refuses one that lacks scopes', async () => {
    const ending = { ...defaultToken, token: 'bkua_ends', expiresAt: Date.now() + 3 * day, scopes: ['read_builds'] };
    (mirror.standIn.tokens as (typeof ending)[]).push(ending);
    const { of } = await look({ BUILDKITE_API_TOKEN: ending.token });
    const [scopes, expiry] = of('token');
    assert.deepEqual([scopes?.grade, expiry?.grade], ['fail', 'warn']);
    assert.match(scopes?.found ?? '', /lacks read_artifacts, read_build_logs, read_pipelines/);
    assert.match(expiry?.found ?? '', /expires in 2d|expires in 3d|expires in 71h/);
    const refused = await look({ BUILDKITE_API_TOKEN: 'bkua_wrong' });
    assert.match(refused.of('token')[0]?.found ?? '', /refuses the API token/);
  });

  it('warns of a token from 7 days before its end, or from as many as it is told', async () => {
    const grade = async (left: number, ...words: string[]): Promise<string | undefined> => {
      const ending = { ...defaultToken, token: `bkua_ends_in_${left}`, expiresAt: Date.now() + left * day };
      (mirror.standIn.tokens as (typeof ending)[]).push(ending);
      return (await look({ BUILDKITE_API_TOKEN: ending.token }, ...words)).of('token')[1]?.grade;
    };
    assert.deepEqual([await grade(6), await grade(8)], ['warn', 'ok']);
    assert.deepEqual([await grade(6, '--days', '5'), await grade(8, '--days', '9')], ['ok', 'warn']);
    for (const days of ['0', '366', '1.5', 'x', '']) {
      const { code, err } = await run(['doctor', '--days', days]);
      assert.equal(code, 64, days);
      assert.match(err, /--days is ".*", not a whole number from 1 to 365/);
    }
  });
});
