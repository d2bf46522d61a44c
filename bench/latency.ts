/** From the webhook of a build with one artifact to that artifact at its public address. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { deliver } from '../demo/deliver.ts';
import { generateBuild } from '../demo/samples/generate.ts';
import type { SampleBuild } from '../demo/standin/sample.ts';
import { createStandIn } from '../demo/standin/server.ts';
import { defaultToken } from '../demo/standin/tokens.ts';
import type { Bench } from './bench.ts';
import { spreadOf } from './measure.ts';
import { startMirror } from './mirror.ts';

const builds = 40;
const targetMs = 150;
const patienceMs = 20_000;

export const latency: Bench = async function* ({ signal, say, cleanUp }) {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-bench-'));
  cleanUp(() => rmSync(folder, { recursive: true, force: true }));
  const standIn = createStandIn({ limits: null, recording: false });
  const address = await standIn.start();
  cleanUp(() => standIn.stop());
  const mirror = await startMirror(folder, { address }, signal);
  cleanUp(() => mirror.stop());
  say(`latency: ${builds} builds, one after the other`);
  const [visible, origin]: [number[], number[]] = [[], []];
  for (let number = 1; number <= builds; number += 1) {
    const build = generateBuild({ number, jobs: 1, artifactsPerJob: 1, bytes: 16_384, logBytes: 2000 });
    standIn.put(build);
    origin.push(await originTime(address.apiUrl, build));
    const startedAt = performance.now();
    const status = await deliver(
      `${mirror.url}/-/webhooks/buildkite`,
      'build.finished',
      build,
      null,
      mirror.webhookToken,
    );
    if (status !== 202) throw new Error(`the delivery was answered ${status}`);
    await seen(`${mirror.url}${addressOf(build)}`, signal);
    visible.push(performance.now() - startedAt);
  }
  const over = spreadOf(visible.map((ms, index) => ms - (origin[index] ?? 0)));
  yield {
    title: 'Webhook to visible, a build of one artifact',
    facts: ['the whole stack on disk; seen by asking for the public address every few ms'],
    rows: [
      { name: 'from the delivery to HTTP 200', value: spreadOf(visible), unit: 'ms' },
      { name: "the origin's own four answers", value: spreadOf(origin), unit: 'ms' },
      {
        name: 'ours above that',
        value: over,
        unit: 'ms',
        target: { text: `≤ ${targetMs} ms`, met: over.median <= targetMs },
      },
    ],
  };
};

/** What upstream itself takes for what must be asked one after the other: build, list, link, bytes. */
async function originTime(apiUrl: string, build: SampleBuild): Promise<number> {
  const [job] = build.jobs;
  const artifact = job?.type === 'script' ? job.artifacts[0] : undefined;
  if (job === undefined || artifact === undefined) throw new Error('the build has no artifact');
  const path = `${apiUrl}/v2/organizations/acme/pipelines/${build.pipeline.slug}/builds/${build.number}`;
  const headers = { authorization: `Bearer ${defaultToken.token}` };
  const startedAt = performance.now();
  for (const each of ['?include_retried_jobs=true', '/artifacts?per_page=100']) {
    await (await fetch(`${path}${each}`, { headers })).arrayBuffer();
  }
  const link = await fetch(`${path}/jobs/${job.id}/artifacts/${artifact.id}/download`, { headers, redirect: 'manual' });
  await link.arrayBuffer();
  await (await fetch(link.headers.get('location') ?? '')).arrayBuffer();
  return performance.now() - startedAt;
}

function addressOf(build: SampleBuild): string {
  const [job] = build.jobs;
  return `/acme/${build.pipeline.slug}/builds/${build.number}/jobs/${job?.id}/artifacts/out/0/file-0.bin`;
}

async function seen(url: string, signal: AbortSignal): Promise<void> {
  for (const until = Date.now() + patienceMs; Date.now() < until; ) {
    const { status } = await fetch(url, { method: 'HEAD', signal });
    if (status === 200) return;
    await pause(3, undefined, { signal });
  }
  throw new Error(`${url} did not come in ${patienceMs} ms`);
}
