import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { deliver, signatureOf, signedHeaders, webhookBody } from '../../demo/deliver.ts';
import { generateBuild } from '../../demo/samples/generate.ts';
import { plantedSecrets } from '../../demo/samples/team.ts';
import { firstJob, type Row, withJob } from './ask.ts';

const build = generateBuild({ finishedAt: Date.UTC(2026, 1, 3, 4, 5, 6) });

describe('deliveries', () => {
  it('have the documented parts: no jobs in a build, no organization, secrets that nobody may keep', () => {
    const finished = JSON.parse(webhookBody('build.finished', build)) as Record<string, Row>;
    assert.deepEqual(Object.keys(finished), ['event', 'build', 'pipeline', 'sender']);
    assert.ok(!('jobs' in (finished.build ?? {})));
    assert.equal(finished.build?.url, 'https://api.buildkite.com/v2/organizations/acme/pipelines/web/builds/1');
    const body = webhookBody('job.finished', build, firstJob(build), { dates: 'utc', apiUrl: 'http://127.0.0.1:1' });
    const job = JSON.parse(body) as Record<string, Row>;
    assert.deepEqual(Object.keys(job), ['event', 'job', 'build', 'pipeline', 'sender']);
    assert.equal(job.build?.finished_at, '2026-02-03 04:05:06 UTC');
    assert.match(String(job.job?.artifacts_url), /^http:\/\/127\.0\.0\.1:1\/v2\//);
    for (const secret of [plantedSecrets.webhookUrl, plantedSecrets.pipelineEnv, plantedSecrets.email]) {
      assert.ok(body.includes(secret));
    }
  });

  it('say who retried a job', () => {
    const retrySource = { jobId: firstJob(build).id, retryType: 'manual' } as const;
    const job = firstJob(withJob(build, { retrySource }));
    const body = JSON.parse(webhookBody('job.finished', build, job)) as { job: { retry_source: Row } };
    assert.deepEqual(body.job.retry_source.retried_by, { name: 'Mira Okafor', email: plantedSecrets.email });
  });

  it('are signed as the recorded ping is', () => {
    const signature = signatureOf('{"event":"ping"}', 'token', 1_642_080_837_999);
    assert.match(signature, /^timestamp=1642080837,signature=[0-9a-f]{64}$/);
    const headers = signedHeaders(webhookBody('job.finished', build, firstJob(build)), 'token', 1_642_080_837_999);
    assert.equal(headers['X-Buildkite-Event'], 'job.finished');
    assert.equal(headers['User-Agent'], 'Buildkite-Request');
  });

  it('are posted, and tell the status of the answer', async (t) => {
    const bodies: string[] = [];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        return response.writeHead(request.headers['x-buildkite-signature'] === undefined ? 401 : 202).end('{}');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/-/webhooks/buildkite`;
    assert.equal(await deliver(url, 'build.finished', build, null, 'token'), 202);
    assert.deepEqual(bodies, [webhookBody('build.finished', build)]);
  });
});
