import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canRead } from '../../src/identity/decide.ts';
import { parsePolicy } from '../../src/identity/policy.ts';
import { grantsFor, publicPathsOf, type Subject } from '../../src/identity/subjects.ts';
import { labelOf } from '../../src/tree/labels.ts';

const web = '0190a1b2-0000-4000-8000-00000000000a';
const issuer = 'https://login.example';

function policy(rules: string, more = ''): ReturnType<typeof parsePolicy> {
  return parsePolicy(`version: 1\n${more}\nrules:\n${rules}`, 'policy.yml');
}

function person(more: Partial<Extract<Subject, { kind: 'user' }>> = {}): Subject {
  return { id: 'u', kind: 'user', issuer, user: '42', email: 'ann@example.com', groups: ['engineering'], ...more };
}

function job(pipeline: string, pipelineId: string | null = null, organizationId: string | null = null): Subject {
  const claims = { organization: 'acme', organizationId, pipeline, pipelineId };
  return { id: 'c', kind: 'ci', issuer, claims };
}

function reads(
  of: ReturnType<typeof parsePolicy>,
  subject: Subject | null,
  build: { pipeline?: string; branch?: string; fork?: boolean; pipelineId?: string } = {},
  address = '10.0.0.1',
): boolean {
  const { pipeline = 'web', branch = 'main', fork = false, pipelineId = web } = build;
  const grants = [...grantsFor(of, subject), ...(subject === null ? [] : grantsFor(of, null))];
  return canRead(
    { grants, address },
    labelOf({ organization: 'acme', folder: pipeline }, { pipelineId, branch, fork }),
  );
}

test('without a rule nobody reads anything', () => {
  const none = parsePolicy('version: 1\nrules: []\n', 'policy.yml');
  assert.equal(reads(none, person()), false);
  assert.equal(reads(none, null), false);
});

test('each kind of subject is found by what the policy calls it', () => {
  const cases: [string, Subject | null, Subject | null][] = [
    ['{ user: ann@example.com }', person(), person({ email: 'ann@evil.example' })],
    ['{ user: ANN@example.com }', person(), person({ email: null })],
    ["{ user: '42' }", person(), person({ user: '43' })],
    ['{ domain: Example.com }', person(), person({ email: 'ann@notexample.com' })],
    ['{ domain: example.com }', person(), person({ email: null })],
    ['{ group: [ops, engineering] }', person(), person({ groups: ['engineer'] })],
    ['{ ci: { organization: acme, pipeline: deploy-* } }', job('deploy-app'), job('app')],
    [`{ ci: { pipeline_id: ${web} } }`, job('any', web), job('any', null)],
    [
      '{ token: nightly-* }',
      { id: 't', kind: 'token', issuer, name: 'nightly-1', reads: [] },
      person({ user: 'nightly-1' }),
    ],
    ['{ signed_in: true }', person(), job('web')],
    ['{ signed_in: true }', person(), null],
  ];
  for (const [who, meant, other] of cases) {
    const one = policy(`  - { who: ${who}, read: acme/web }`);
    assert.equal(reads(one, meant), true, who);
    assert.equal(reads(one, other), false, who);
  }
});

test('a job is bound by the ids of its organization and pipeline, and by both where both are named', () => {
  const [acme, other] = ['0190a1b2-0000-4000-8000-0000000000ac', '0190a1b2-0000-4000-8000-0000000000ff'];
  const outcome = (who: string): boolean[] => {
    const one = policy(`  - { who: { ci: ${who} }, read: acme/web }`);
    const jobs = [
      job('web', web, acme),
      job('web', web, other),
      job('web', other, acme),
      job('web', web),
      job('web', null, acme),
    ];
    return jobs.map((each) => reads(one, each));
  };
  assert.deepEqual(outcome(`{ organization_id: ${acme} }`), [true, false, true, false, true]);
  assert.deepEqual(outcome(`{ pipeline_id: ${web} }`), [true, true, false, true, false]);
  assert.deepEqual(outcome(`{ organization_id: ${acme}, pipeline_id: ${web} }`), [true, false, false, false, false]);
  assert.deepEqual(outcome(`{ organization: acme, organization_id: ${other} }`), [false, true, false, false, false]);
});

test('what is named together must hold together; a list is a choice', () => {
  const both = policy('  - { who: { group: engineering, domain: example.org }, read: acme/web }');
  assert.equal(reads(both, person()), false);
  assert.equal(reads(both, person({ email: 'ann@example.org' })), true);
  const either = policy('  - { who: [{ group: nobody }, { domain: example.com }], read: [acme/app, acme/web] }');
  assert.equal(reads(either, person()), true);
});

test('an address narrows what is beside it', () => {
  const named = policy('  - { who: { signed_in: true, address: 10.0.0.0/8 }, read: acme/web }');
  assert.equal(reads(named, person()), true);
  assert.equal(reads(named, person(), {}, '11.0.0.1'), false);
  const open = policy('  - { who: { anonymous: true, address: 10.0.0.0/8 }, read: acme/web }');
  assert.equal(reads(open, null), true);
  assert.equal(reads(open, null, {}, '11.0.0.1'), false);
});

test('who names nobody, or what nobody is, is a fault with its remedy', () => {
  for (const [who, wanted] of [
    ['{ address: 10.0.0.0/8 }', /rules\[0\]\.who: names nobody by "address" alone: add "anonymous: true"/],
    ['[{ user: ann }, { address: 10.0.0.0/8 }]', /rules\[0\]\.who\[1\]: names nobody by "address" alone/],
    ['{ anonymous: true, user: bob }', /who: asks for "user" and "anonymous" at once, which nobody is: make it a list/],
    ['{ anonymous: true, signed_in: true, address: 10.0.0.0/8 }', /"signed_in" and "anonymous" at once/],
    ['{ ci: { pipeline: web }, group: x, domain: x }', /"domain" and "ci" at once/],
    ['[{ token: nightly, ci: {} }]', /who\[0\]: asks for "ci" and "token" at once/],
  ] as const)
    assert.throws(() => policy(`  - { who: ${who}, read: acme/web }`), { message: wanted }, who);
  assert.equal(policy('  - { who: [{ anonymous: true }, { token: x }], read: acme/web }').rules.length, 1);
});

test('a branch narrows, and a fork is never the branch', () => {
  const main = policy(
    '  - { who: { group: engineering }, read: [acme/web@main, { pipeline: acme/app, branches: [release/*] }] }',
  );
  assert.equal(reads(main, person()), true);
  assert.equal(reads(main, person(), { branch: 'mains' }), false);
  assert.equal(reads(main, person(), { fork: true }), false);
  assert.equal(reads(main, person(), { branch: 'main\n' }), false);
  assert.equal(reads(main, person(), { pipeline: 'app', branch: 'release/1' }), true);
  assert.equal(reads(policy('  - { who: { group: engineering }, read: acme/web }'), person(), { fork: true }), true);
});

test('a pipeline may be bound by its id, whatever it is called', () => {
  const byId = policy(`  - { who: { group: engineering }, read: { pipeline_id: ${web.toUpperCase()} } }`);
  assert.equal(reads(byId, person(), { pipeline: 'renamed' }), true);
  assert.equal(reads(byId, person(), { pipelineId: web.replace('a', 'b') }), false);
});

test('groups of the policy itself are groups', () => {
  const own = policy(
    '  - { who: { group: core }, read: acme/web }',
    'groups: { core: [ann@example.com], __proto__x: bob }',
  );
  assert.equal(reads(own, person({ groups: [] })), true);
  assert.equal(reads(own, person({ email: 'bob@example.com', groups: [] })), false);
  assert.equal(reads(policy('  - { who: { group: constructor }, read: acme/web }'), person({ groups: [] })), false);
});

test('public rules open to all, and paths open no more than themselves', () => {
  assert.equal(reads(policy('  - { public: true, read: acme/web }'), null), true);
  const paths = policy("  - { public: true, read: acme/web@main, paths: ['artifacts/badges/*'] }");
  assert.equal(reads(paths, null), false);
  assert.deepEqual(
    publicPathsOf(paths).map((each) => each.paths),
    [['artifacts/badges/*']],
  );
});

test('every fault is named at once, with its place', () => {
  const faulty = `version: 2
rules:
  - { who: { usr: ann }, read: acme/web }
  - { who: {}, read: acme/web }
  - { who: { address: 10.0.0.0/33 }, read: acme/web }
  - { who: { group: x }, read: web }
  - { who: { group: x }, read: acme/web, paths: ['a/*'] }
  - { public: true, who: { group: x }, read: acme/web }
  - { read: acme/web }
  - { who: { group: "a\\tb" }, read: acme/web }
  - { who: { ci: { branch: main } }, read: acme/web }
tests: [{ as: {} }]
more: 1
`;
  assert.throws(
    () => parsePolicy(faulty, 'policy.yml'),
    (error: Error) => {
      for (const wanted of [
        /^1[0-9] faults in the policy policy\.yml:\n/,
        /version: /,
        /rules\[0\].*usr/,
        /rules\[1\].*names nobody/,
        /rules\[2\].*is not an address/,
        /rules\[3\].*"web" is not <organization>\/<pipeline>/,
        /rules\[4\].*narrows by path/,
        /rules\[5\].*is public/,
        /rules\[6\].*needs "who"/,
        /rules\[7\].*control character/,
        /rules\[8\].*branch/,
        /tests\[0\].*needs "reads" or "refused"/,
        /the file: .*more/,
      ])
        assert.match(error.message, wanted);
      return true;
    },
  );
});

test('what is no YAML, holds a key twice or grows by aliases is refused with its line', () => {
  assert.throws(() => parsePolicy('version: 1\nrules: [', 'p'), /1 fault in the policy p:\n {2}- .*line 2/);
  assert.throws(() => parsePolicy('version: 1\nversion: 1\nrules: []', 'p'), /unique/);
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...Array.from('bcdefgh').map(
      (name, i) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[i]}`).join(',')}]`,
    ),
  ];
  assert.throws(() => parsePolicy(`${bomb.join('\n')}\n`, 'p'), /alias/i);
  assert.throws(() => parsePolicy('', 'p'), /1 fault/);
});

test('JSON is a policy too', () => {
  assert.equal(parsePolicy('{"version":1,"rules":[{"public":true,"read":"acme/web"}]}', 'p').rules.length, 1);
});
