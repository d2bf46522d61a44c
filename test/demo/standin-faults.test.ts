import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateBuild } from '../../demo/samples/generate.ts';
import { readAll } from '../../demo/standin/bytes.ts';
import type { FaultRule } from '../../demo/standin/faults.ts';
import { documentedLimits } from '../../demo/standin/limits.ts';
import type { StandIn } from '../../demo/standin/standin.ts';
import { ask, buildPath, firstArtifact, jobPath, linkOf, type Row, started, withJob } from './ask.ts';

const size = 300_000;
const sample = generateBuild({ bytes: size, logBytes: 10_000 });
const whole = readAll(firstArtifact(sample).content);

/** Downloads the sample's artifact under a fault of the storage. */
async function faulty(standIn: StandIn, rule: Pick<FaultRule, 'times'> & Record<string, unknown>): Promise<Response> {
  standIn.put(sample);
  const link = await linkOf(standIn, sample);
  standIn.faults.add({ at: 'storage', path: 'file-0.bin', ...rule } as FaultRule);
  return ask(standIn, link);
}

async function bytesBeforeBreak(answer: Response): Promise<number> {
  let received = 0;
  const reading = async (): Promise<void> => {
    for await (const chunk of answer.body ?? []) received += (chunk as Uint8Array).length;
  };
  await assert.rejects(reading);
  return received;
}

describe('limits of the stand-in', () => {
  it('counts a user and the organization apart, in windows, and refuses as documented', async (t) => {
    let now = 1_787_227_200_000;
    const standIn = await started(t, { limits: { ...documentedLimits, user: 3 }, now: () => now });
    standIn.put(sample);
    const headers = (answer: Response, prefix: string): (string | null)[] =>
      ['Scope', 'Remaining', 'Limit', 'Reset', 'Warning'].map((name) => answer.headers.get(`${prefix}-${name}`));
    const first = await ask(standIn, buildPath(sample));
    assert.deepEqual(headers(first, 'RateLimit'), ['rest', '199', '200', '60', null]);
    assert.deepEqual(headers(first, 'RateLimit-User'), ['rest_user', '2', '3', '60', null]);
    now += 18_000;
    standIn.limiter.spend('mirror@acme.example', 2);
    const refused = await ask(standIn, '/v2/nothing');
    assert.equal(refused.status, 429);
    assert.deepEqual(await refused.json(), {
      message: 'You have exceeded your API rate limit. Please wait 42 seconds before making more requests.',
      scope: 'rest_user',
      limit: 3,
      current: 4,
      reset: 42,
    });
    assert.equal(headers(refused, 'RateLimit-User').at(-1), 'You have exceeded your API rate limit.');
    assert.equal(refused.headers.get('retry-after'), null);
    now += 42_000;
    assert.equal((await ask(standIn, buildPath(sample))).status, 200);
  });
});

describe('logs of the stand-in', () => {
  it('gives a log as JSON, as text, by its end, and its length', async (t) => {
    const content = Buffer.from('~~~ Preparing\r\n\u001b[32mgrün\u001b[0m\r\n');
    const build = withJob(sample, { log: { content } });
    const standIn = await started(t);
    standIn.put(build);
    const log = `${jobPath(build)}/log`;
    const plain = { accept: 'text/plain' };
    const json = (await (await ask(standIn, log)).json()) as Row;
    assert.deepEqual([json.content, json.size, json.header_times], [content.toString(), content.length, []]);
    for (const answer of [await ask(standIn, log, plain), await ask(standIn, `${log}.txt`)]) {
      assert.equal(answer.headers.get('content-length'), null, 'streamed, its length is not announced');
      assert.ok(Buffer.from(await answer.arrayBuffer()).equals(content));
    }
    const head = await ask(standIn, log, {}, 'HEAD');
    assert.equal(head.headers.get('content-length'), String(content.length));
    assert.equal(head.headers.get('accept-ranges'), 'bytes');
    const end = await ask(standIn, log, { ...plain, range: 'bytes=-5' });
    assert.deepEqual(
      [end.status, end.headers.get('content-range')],
      [206, `bytes ${content.length - 5}-${content.length - 1}/${content.length}`],
    );
    for (const range of ['bytes=0-5', 'bytes=-0', 'bytes=-1,-2']) {
      assert.equal((await ask(standIn, log, { ...plain, range })).status, 400, range);
    }
    assert.equal((await ask(standIn, log, { range: 'bytes=-5' })).status, 400, 'only with text/plain');
    standIn.put(withJob(sample, { log: { content: Buffer.alloc(0) } }));
    assert.equal((await ask(standIn, log, { ...plain, range: 'bytes=-5' })).status, 416);
    standIn.put(withJob(sample, { log: null }));
    assert.equal((await ask(standIn, log)).status, 404);
  });

  it('lets a log be short for as many looks as it is told', async (t) => {
    const standIn = await started(t);
    standIn.put(withJob(sample, { log: { content: Buffer.alloc(100, 'x'), shortForLooks: 2, shortBytes: 30 } }));
    const lengths: number[] = [];
    for (let look = 0; look < 3; look += 1) {
      lengths.push((await (await ask(standIn, `${jobPath(sample)}/log.txt`)).text()).length);
    }
    assert.deepEqual(lengths, [30, 30, 100]);
  });
});

describe('faults of the stand-in', () => {
  it('answers another status as often as told, after as many good ones as told', async (t) => {
    const standIn = await started(t);
    standIn.put(sample);
    const fault = standIn.faults.add({
      at: 'api',
      path: /\/builds\/1$/,
      kind: 'status',
      status: 503,
      times: 2,
      after: 1,
    });
    const seen: number[] = [];
    for (let request = 0; request < 4; request += 1) seen.push((await ask(standIn, buildPath(sample))).status);
    assert.deepEqual([seen, fault.hits], [[200, 503, 503, 200], 2]);
    standIn.faults.add({ at: 'api', path: '/builds/1', kind: 'status', status: 429, seconds: 7 });
    assert.equal(((await (await ask(standIn, buildPath(sample))).json()) as Row).reset, 7);
  });

  it('breaks a body off, by a reset or by its end', async (t) => {
    const standIn = await started(t);
    assert.equal(await bytesBeforeBreak(await faulty(standIn, { kind: 'reset', afterBytes: 100_000 })), 100_000);
    assert.equal(await bytesBeforeBreak(await faulty(standIn, { kind: 'truncate', afterBytes: 200_000 })), 200_000);
    standIn.faults.add({ at: 'api', path: '/log.txt', kind: 'truncate', afterBytes: 4000 });
    assert.equal(await bytesBeforeBreak(await ask(standIn, `${jobPath(sample)}/log.txt`)), 4000);
    await assert.rejects(faulty(standIn, { kind: 'reset' }));
    assert.equal((await ask(standIn, await linkOf(standIn, sample))).status, 200);
  });

  it('hangs before or within an answer until the client gives up', async (t) => {
    const standIn = await started(t);
    const stalled = await faulty(standIn, { kind: 'hang', afterBytes: 1000 });
    const reader = stalled.body?.getReader();
    const first = await reader?.read();
    assert.equal(first?.value?.length, 1000);
    await reader?.cancel();
    standIn.faults.add({ at: 'api', path: 'builds', kind: 'hang' });
    const url = `${standIn.address.apiUrl}${buildPath(sample)}`;
    const headers = { authorization: `Bearer ${standIn.tokens[0]?.token}` };
    await assert.rejects(fetch(url, { headers, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  });

  it('sends slowly', async (t) => {
    const standIn = await started(t);
    const began = Date.now();
    const answer = await faulty(standIn, { kind: 'drip', bytesPerSecond: size * 10 });
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(whole));
    assert.ok(Date.now() - began >= 40);
  });

  it('sends other bytes: one changed, some more, some fewer, all others', async (t) => {
    const standIn = await started(t);
    const get = async (rule: Record<string, unknown>): Promise<Buffer> =>
      Buffer.from(await (await faulty(standIn, rule)).arrayBuffer());
    const corrupt = await get({ kind: 'corrupt' });
    assert.equal(corrupt.length, size);
    assert.equal([...corrupt].filter((byte, index) => byte !== whole[index]).length, 1);
    assert.ok((await get({ kind: 'resize', by: -10 })).equals(whole.subarray(0, -10)));
    assert.equal((await get({ kind: 'resize', by: 10 })).length, size + 10);
    assert.equal((await get({ kind: 'replace', content: Buffer.from('other') })).toString(), 'other');
  });

  it('leads elsewhere, and on and on', async (t) => {
    const standIn = await started(t);
    const elsewhere = await faulty(standIn, { kind: 'redirect', to: 'http://10.0.0.1/x' });
    assert.deepEqual([elsewhere.status, elsewhere.headers.get('location')], [302, 'http://10.0.0.1/x']);
    await faulty(standIn, { kind: 'redirect', to: 'self', times: 3 });
    const link = await linkOf(standIn, sample);
    const end = await fetch(link);
    assert.equal(end.status, 200);
    assert.equal(standIn.requests.filter((seen) => seen.fault === 'redirect').length, 4);
  });

  it('answers what cannot be read, and ends a link early', async (t) => {
    const standIn = await started(t);
    standIn.put(sample);
    standIn.faults.add({ at: 'api', path: 'builds', kind: 'malformed' });
    await assert.rejects(async () => (await ask(standIn, buildPath(sample))).json(), SyntaxError);
    standIn.faults.add({ at: 'api', path: 'builds', kind: 'html' });
    assert.match((await ask(standIn, buildPath(sample))).headers.get('content-type') ?? '', /text\/html/);
    const expired = await faulty(standIn, { kind: 'expired' });
    assert.equal(expired.status, 403);
    assert.match(await expired.text(), /Request has expired/);
  });

  it('goes away and comes back at the same address with what it knew', async (t) => {
    const standIn = await started(t);
    standIn.put(sample);
    const before = standIn.address;
    await standIn.stop();
    await assert.rejects(ask(standIn, buildPath(sample)));
    assert.deepEqual(await standIn.start(), before);
    assert.equal((await ask(standIn, buildPath(sample))).status, 200);
  });
});

describe('the stand-in as the origin of benches', () => {
  it('shows 50,000 artifacts of 2,000 jobs without keeping their bytes', async (t) => {
    const standIn = await started(t, { recording: false });
    const build = generateBuild({ jobs: 2000, artifactsPerJob: 25, bytes: 200 });
    standIn.put(build);
    let listed = 0;
    for (let page = 1; page <= 500; page += 100) {
      listed += (
        (await (await ask(standIn, `${buildPath(build)}/artifacts?per_page=100&page=${page}`)).json()) as Row[]
      ).length;
    }
    assert.equal(listed, 500);
    const shown = (await (await ask(standIn, buildPath(build))).json()) as { jobs: Row[] };
    assert.equal(shown.jobs.length, 2000);
    assert.deepEqual(standIn.requests, []);
  });
});
