import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { Agent } from 'undici';
import { createUpstream, type Upstream } from '../../src/buildkite/client.ts';
import { createRest } from '../../src/buildkite/rest.ts';
import { readLogEnd } from '../../workers/log-end.ts';

const ref = { organization: 'acme', pipeline: 'web', number: 42, build: '0191e0c4-0000-4000-8000-000000000001' };
const job = '0191e0c4-0000-4000-8000-000000000002';
const text = { 'content-type': 'text/plain; charset=utf-8' };
let answer: RequestListener = (_, response) => response.end();
const server = createServer((request, response) => answer(request, response));
const dispatcher = new Agent();
let upstream: Upstream;
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const apiUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const budget = { spend: async () => undefined, settle: () => undefined };
  upstream = createUpstream(createRest({ apiUrl, token: () => 'x', dispatcher, budget, workClass: 'watch' }));
});
after(async () => {
  await dispatcher.close();
  server.close();
});

const read = (): ReturnType<typeof readLogEnd> => readLogEnd(upstream, ref, job, AbortSignal.timeout(20_000));

test('the end of a log begins with a whole line, and says where that is', async () => {
  const part = `f a line\r\n${'ä'.repeat(100)}\r\n`;
  answer = ({ headers }, response) => {
    assert.equal(headers.range, 'bytes=-65536');
    const size = 1000 + Buffer.byteLength(part);
    response.writeHead(206, { ...text, 'content-range': `bytes 1000-${size - 1}/${size}` }).end(part);
  };
  assert.deepEqual(await read(), {
    size: 1000 + Buffer.byteLength(part),
    start: 1010,
    content: `${'ä'.repeat(100)}\r\n`,
  });
});

test('an upstream that gives no parts is read whole, and its end is kept', async () => {
  const whole = 'a line of a log\n'.repeat(20_000);
  answer = (_, response) => response.writeHead(200, text).end(whole);
  const { size, start, content } = await read();
  assert.deepEqual([size, start + content.length], [whole.length, whole.length]);
  assert.ok(content.length > 65_000 && content.length <= 65_536);
  assert.ok(content.startsWith('a line'));
});

test('a log that is only to be had whole and is too large is given up', { timeout: 30_000 }, async () => {
  answer = (_, response) => {
    response.writeHead(200, text);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 'x\n')));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  await assert.rejects(read(), /too large to follow/);
});

for (const [name, status, type] of [
  ['is none yet', 404, 'application/json'],
  ['is empty', 416, 'text/plain'],
] as const) {
  test(`a log that ${name} is an empty one`, async () => {
    answer = (_, response) => response.writeHead(status, { 'content-type': type }).end('{}');
    assert.deepEqual(await read(), { size: 0, start: 0, content: '' });
  });
}

test('a page of a proxy in between is no log', async () => {
  answer = (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Sign in</h1>');
  await assert.rejects(read(), /not plain text/);
});
