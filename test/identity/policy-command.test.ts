/** A policy as an operator meets it: by command, at the start, and under a mirror that runs. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { kitemirror } from '../commands/scene.ts';
import { root, settings } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import { addressOf, job, type Mirror, startGateway, startMirror } from './scene.ts';

const rules = `version: 1
rules:
  - { who: { domain: example.com }, read: acme/web@main }
`;
const good = `${rules}tests:
  - { name: ann, as: { email: Ann@example.com }, reads: [acme/web@main], refused: [acme/vault] }
  - { as: {}, refused: [acme/web@main] }
`;
const failing = `${rules}tests:
  - { name: ann, as: { email: ann@example.com }, reads: [acme/web@main, acme/web] }
  - { name: a fork, as: { email: ann@example.com }, refused: [{ pipeline: acme/web, branch: main, fork: true }] }
`;
const malformed = 'version: 1\nrules:\n  - { who: { domian: example.com }, read: acme }\n';

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-policy-'));
});
after(() => rmSync(folder, { recursive: true }));

function policyFile(text: string): string {
  const file = join(folder, 'policy.yml');
  writeFileSync(file, text);
  return file;
}

describe('kitemirror policy test', () => {
  it('ends with 0 and each outcome where the policy does what its tests say', async () => {
    const { code, out } = await kitemirror(['policy', 'test', policyFile(good), '--json']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), {
      passed: 3,
      failed: 0,
      outcomes: [
        { test: 'ann', build: 'acme/web@main', expected: 'reads', found: 'reads' },
        { test: 'ann', build: 'acme/vault', expected: 'refused', found: 'refused' },
        { test: 'tests[1]', build: 'acme/web@main', expected: 'refused', found: 'refused' },
      ],
    });
  });

  it('ends with 1 where one fails, and says which and how', async () => {
    const file = policyFile(failing);
    const { code, out } = await kitemirror(['policy', 'test', file, '--json']);
    const told = JSON.parse(out) as { passed: number; failed: number; outcomes: Record<string, string>[] };
    assert.deepEqual([code, told.passed, told.failed], [1, 2, 1]);
    assert.deepEqual(
      told.outcomes.filter(({ expected, found }) => expected !== found),
      [{ test: 'ann', build: 'acme/web', expected: 'reads', found: 'refused' }],
    );
    const forPeople = await kitemirror(['policy', 'test', file]);
    assert.equal(forPeople.code, 1);
    assert.match(forPeople.out, /^✗ ann: acme\/web is refused, and should be read$/m);
    assert.match(forPeople.out, /^2 passed, 1 failed$/m);
    // That it is a policy is all that this asks.
    const checked = await kitemirror(['policy', 'check', file, '--json']);
    assert.deepEqual([checked.code, JSON.parse(checked.out)], [0, { rules: 1, tests: 2 }]);
  });

  it('ends with 78 for what is no policy or not there, naming every fault and its place', async () => {
    for (const verb of ['test', 'check']) {
      const { code, out } = await kitemirror(['policy', verb, policyFile(malformed), '--json']);
      const { error, message } = JSON.parse(out) as Record<string, string>;
      assert.deepEqual([code, error], [78, 'ERR_CONFIG']);
      assert.match(message ?? '', /rules\[0\]\.who: .*domian.*rules\[0\]\.read: "acme" is not/s);
    }
    const missing = await kitemirror(['policy', 'test', join(folder, 'nowhere.yml')]);
    assert.deepEqual([missing.code, missing.out], [78, '']);
    assert.match(missing.err, /there is no policy at .*nowhere\.yml/);
  });

  it('takes no address by itself, and opens with anonymous what it says', async () => {
    const policy = (who: string): string => `version: 1
rules: [{ who: ${who}, read: acme/web }]
tests:
  - { as: { address: 203.0.113.7 }, reads: acme/web }
  - { as: { email: ann@example.com, address: 203.0.113.7 }, reads: acme/web }
  - { as: { address: 198.51.100.7 }, reads: acme/web }
`;
    const found = async (who: string): Promise<string[]> => {
      const { out } = await kitemirror(['policy', 'test', policyFile(policy(who)), '--json']);
      return (JSON.parse(out) as { outcomes: { found: string }[] }).outcomes.map((each) => each.found);
    };
    const alone = await kitemirror(['policy', 'check', policyFile(policy('{ address: 203.0.113.0/24 }'))]);
    assert.equal(alone.code, 78);
    assert.match(alone.err, /rules\[0\]\.who: names nobody by "address" alone: add "anonymous: true"/);
    assert.deepEqual(await found('{ anonymous: true, address: 203.0.113.0/24 }'), ['reads', 'reads', 'refused']);
  });

  it('passes the example of docs/identity.md', async () => {
    const [, example] =
      /```yaml\n(version: 1\n.*?)```/s.exec(readFileSync(join(root, 'docs', 'identity.md'), 'utf8')) ?? [];
    assert.ok(example !== undefined);
    const { code, out, err } = await kitemirror(['policy', 'test', policyFile(example), '--json']);
    assert.equal(code, 0, `${out}${err}`);
    assert.ok((JSON.parse(out) as { passed: number }).passed > 0);
  });
});

it('a gateway does not start with a policy that fails its own tests, and says which', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'kitemirror-policy-'));
  t.after(() => rmSync(data, { recursive: true }));
  const { child, said } = startGateway(settings(data, 1, { KITEMIRROR_POLICY: policyFile(failing) }));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 78, said());
  assert.match(said(), /does not do what its tests say.*ann: acme\/web is refused, and should be read/s);
  assert.doesNotMatch(said(), /gateway ready/);
});

describe('a mirror that runs', () => {
  const web = { organization: 'acme', folder: 'web', number: 42 };
  const vault = { organization: 'acme', folder: 'vault', number: 7 };
  const open = (...pipelines: string[]): string =>
    `version: 1\nrules:\n${pipelines.map((name) => `  - { public: true, read: acme/${name} }\n`).join('')}`;
  let mirror: Mirror;
  before(async () => {
    mirror = await startMirror([web, vault], open('web'));
  });
  after(() => mirror.close());

  async function statuses(): Promise<number[]> {
    const paths = [web, vault].map((at) => `${addressOf(at)}/jobs/${job}/artifacts/a.txt`);
    return Promise.all(paths.map(async (path) => (await mirror.get(path)).status));
  }
  const refusals = (): number => mirror.said().split('the policy cannot be used').length - 1;

  it('keeps the policy in force while the file is broken or fails its tests, and takes the next good one', async () => {
    assert.deepEqual(await statuses(), [200, 401]);
    const test = 'tests:\n  - { as: {}, refused: [acme/vault] }\n';
    for (const [count, broken] of [
      [1, `${open('vault')}]`],
      [2, `${open('vault')}${test}`],
    ] as const) {
      mirror.policy(broken);
      await until('the gateway has looked at it', () => refusals() === count);
      assert.deepEqual(await statuses(), [200, 401]);
    }
    mirror.policy(open('vault'));
    await until('the next one is in force', async () => String(await statuses()) === '401,200', 60_000);
    assert.equal(refusals(), 2);
  });
});
