import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Kind, OperationTypeNode, parse } from 'graphql';
import { generateBuild } from '../../demo/samples/generate.ts';
import type { Portal } from '../../demo/standin/portals.ts';
import { started } from '../demo/ask.ts';
import { kitemirror, type Ran } from './scene.ts';

const token = `bkpat_${'ef'.repeat(27)}`;
const build = generateBuild({ jobs: 2, artifactsPerJob: 3 });

interface Found {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

async function printed(): Promise<string> {
  return (await kitemirror(['portal'])).out;
}

/** A stand-in with a portal, and the check of it. */
async function checked(t: TestContext, portal: Partial<Portal>, words: string[] = [], told = token): Promise<Ran> {
  const standIn = await started(t, { portals: [{ slug: 'links', token, document: await printed(), ...portal }] });
  standIn.put(build);
  return kitemirror(['portal', '--check', ...words], {
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_PORTAL_URL: standIn.portalUrl('links'),
    BUILDKITE_PORTAL_TOKEN: told,
  });
}

test('kitemirror portal prints a document that GraphQL understands, and holds no secret', async () => {
  const { code, out, err } = await kitemirror(['portal']);
  assert.deepEqual([code, err], [0, '']);
  const [definition] = parse(out).definitions;
  assert.ok(definition?.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.QUERY);
  const json = await kitemirror(['portal', '--json']);
  assert.equal((JSON.parse(json.out) as { document: string }).document.trimEnd(), out.trimEnd());
});

test('kitemirror portal --check finds a portal that stores what was printed in order, with the links of a build', async (t) => {
  const { code, out, err } = await checked(t, {}, ['--build', build.id, '--json']);
  assert.deepEqual([code, err], [0, '']);
  const { ok, checks } = JSON.parse(out) as Found;
  assert.equal(ok, true);
  assert.deepEqual(
    checks.map(({ name }) => name),
    ['answer', 'document', 'build', 'links'],
  );
  assert.match(checks.at(-1)?.detail ?? '', /^6 of 6 /);
  assert.ok(!out.includes(token) && !out.includes('Signature'));
});

test('kitemirror portal --check tells of another document, a wrong token and a portal that is not there', async (t) => {
  const other = await checked(t, { document: '{ viewer { id } }' });
  assert.deepEqual([other.code, other.err], [1, '']);
  assert.match(other.out, /^not {2}document: another document is stored/m);
  const wrong = await checked(t, {}, [], 'bkpat_wrong');
  assert.equal(wrong.code, 1);
  assert.match(wrong.out, /^not {2}answer: The portal refuses its token.*401/m);
  assert.ok(!wrong.out.includes('bkpat_wrong'));
  const none = await kitemirror(['portal', '--check'], {
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_PORTAL_URL: 'http://127.0.0.1:9/portals/links',
    BUILDKITE_PORTAL_TOKEN: token,
  });
  assert.equal(none.code, 1);
  assert.match(none.out, /^not {2}answer: The portal cannot be reached/m);
});

test('kitemirror portal --check needs a portal, and its two settings together', async () => {
  const nothing = await kitemirror(['portal', '--check'], { BUILDKITE_ORGANIZATION: 'acme' });
  assert.equal(nothing.code, 78);
  assert.match(nothing.err, /no portal is configured: set BUILDKITE_PORTAL_URL and BUILDKITE_PORTAL_TOKEN/);
  const half = await kitemirror(['portal', '--check'], {
    BUILDKITE_ORGANIZATION: 'acme',
    BUILDKITE_PORTAL_URL: 'https://portal.example/x',
  });
  assert.equal(half.code, 78);
  assert.match(half.err, /BUILDKITE_PORTAL_TOKEN is required beside BUILDKITE_PORTAL_URL/);
  assert.equal((await kitemirror(['portal', '--build', build.id])).code, 64);
});
