/** What stands on a page for use elsewhere, where nobody is signed in: badges, and what a chat shows of a link. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Express } from 'express';
import request from 'supertest';
import { openKeeper } from '../../src/identity/keeper.ts';
import { seal } from '../../src/identity/seals.ts';
import { createLog } from '../../src/log.ts';
import { labelFacts, writeLabel } from '../../src/tree/labels.ts';
import { writeBadge } from '../../src/tree/pointers.ts';
import { sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const now = (): number => Math.floor(Date.now() / 1000);
const annReads = '  - { who: { user: ann@example.com }, read: acme/web }\n';

let mirror: TestMirror;
before(async () => {
  mirror = openMirror();
  for (const [number, branch] of [
    [42, 'release'],
    [43, 'main'],
  ] as const) {
    const build = sampleBuild([sampleJob(1)], { number, branch, id: uuid(100 + number) });
    await writeLabel(mirror.paths, await mirror.add(build, [sampleJob(1)]), labelFacts(build));
    writeBadge(mirror.paths, mirror.paths.badge('acme', 'web', branch), '<svg/>');
  }
});
after(() => mirror.close());

/** @param rules beside Ann's, who reads everything of web */
async function under(rules: string): Promise<{ app: Express; ann: string }> {
  const policyFile = join(mirror.paths.root, 'policy.yml');
  writeFileSync(policyFile, `version: 1\nrules:\n${annReads}${rules}`);
  const keeper = await openKeeper({
    paths: mirror.paths,
    policyFile,
    log: createLog('test', 'silent'),
    nowSeconds: now,
  });
  const ann = { id: 'ann', user: 'ann', email: 'ann@example.com', groups: [] };
  await keeper.admit({ kind: 'user', issuer: 'i', seen: now(), ...ann });
  const sealed = seal(keeper.key(), 'session', {
    id: 'session-0001',
    subject: 'ann',
    issued: now() - 5,
    expires: now() + 600,
  });
  const app = mirror.readers({
    ...{
      keeper,
      isSecure: false,
      hasLogin: true,
      contentUrl: null,
      assertionHeader: null,
      people: null,
      sessionSeconds: 600,
    },
    verifyJob: async () => {
      throw new Error('no job comes here');
    },
    onSignIn: () => undefined,
    onLink: () => undefined,
  });
  return { app, ann: `kitemirror=${sealed}` };
}

/** The branch of the line for a README on a pipeline's page. */
function offered(page: string): string | undefined {
  return /\[!\[build\]\(http:\/\/mirror\.test\/acme\/web\/latest\/(.+?)\/-\/badge\.svg\)\]/.exec(page)?.[1];
}

describe('a pipeline’s page', () => {
  it('offers the badge of a branch that anybody may see', async () => {
    const offeredUnder = async (rules: string): Promise<string | undefined> => {
      const { app, ann } = await under(rules);
      return offered((await request(app).get('/acme/web/').set('Cookie', ann).expect(200)).text);
    };
    assert.equal(await offeredUnder('  - { public: true, read: acme/web }\n'), 'main');
    assert.equal(await offeredUnder('  - { public: true, read: acme/web@release }\n'), 'release');
    assert.equal(await offeredUnder(''), undefined);
    // Who reads it within a network would offer it to those outside.
    assert.equal(
      await offeredUnder('  - { who: { anonymous: true, address: [127.0.0.0/8] }, read: acme/web }\n'),
      undefined,
    );
    assert.equal(
      await offeredUnder("  - { public: true, read: acme/web, paths: ['artifacts/*'] }\n"),
      undefined,
      'a badge is no file of a build',
    );
    assert.equal(offered((await request(mirror.app).get('/acme/web/').expect(200)).text), 'main');
  });
});

describe('a build’s page', () => {
  it('tells those who show a link to it what it is, where anybody may read it, and nothing else anywhere', async () => {
    const { app } = await under('  - { public: true, read: acme/web@release }\n');
    const { text } = await request(app).get('/acme/web/builds/42/').expect(200);
    assert.match(text, /<meta property="og:title" content="web #42: Keep the cart/);
    const refused = await request(app).get('/acme/web/builds/43/').expect(401);
    assert.doesNotMatch(refused.text, /og:|Keep the cart/);
  });
});
