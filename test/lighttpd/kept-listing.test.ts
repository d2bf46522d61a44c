import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { ask } from './ask.ts';
import { startReaderSite } from './reader-site.ts';

test('a listing has one tag: as the gateway composes it first, and as a file from then on', async () => {
  const reader = await startReaderSite();
  try {
    const artifacts = ['report/a.txt', 'report/b.txt'].map((path, at) => sampleArtifact(uuid(1), at, path));
    const jobs = [sampleJob(1, { artifacts, expected: 3, present: 3 })];
    await reader.add(sampleBuild(jobs), jobs);
    const path = '/acme/web/builds/42/artifacts/report/';
    const kept = reader.site.paths.page('acme', 'web', 'builds', '42', 'artifacts', 'report');
    assert.equal(existsSync(kept), false);
    const first = await ask(reader.site.port, path);
    assert.equal(first.status, 200);
    assert.equal(existsSync(kept), true);
    const { etag } = first.headers;
    assert.ok(etag);
    const again = await ask(reader.site.port, path);
    assert.deepEqual([again.text, again.headers.etag], [first.text, etag]);
    const known = await ask(reader.site.port, path, { headers: { 'If-None-Match': etag } });
    assert.deepEqual([known.status, known.text], [304, '']);
  } finally {
    await reader.close();
  }
});
