import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import request from 'supertest';
import type { ProofRule } from '../../src/buildkite/signature.ts';
import { MirrorError } from '../../src/errors.ts';
import { createHttpServer, listen } from '../../src/http.ts';
import type { Hint } from '../../src/model.ts';
import { createReceiverApp } from '../../src/webhooks/app.ts';
import { maxBodyBytes } from '../../src/webhooks/refusals.ts';
import { readRecorded, recordedSkip } from '../buildkite/recorded.ts';
import { bodyOf, headersOf, organization, secret, signatureOf } from './deliveries.ts';

const path = '/-/webhooks/buildkite';
let hints: Hint[];
let counted: string[];
let lines: string[];
let rule: ProofRule;
let journalFault: MirrorError | null;
let now: number | null;

const app = createReceiverApp({
  organization,
  proofRule: () => rule,
  accept: async (hint) => {
    if (journalFault !== null) throw journalFault;
    hints.push(hint);
    return { delivery: randomUUID() };
  },
  readiness: async () =>
    journalFault === null
      ? { ready: true, checks: { journal: 'ok' } }
      : { ready: false, checks: { journal: journalFault.message } },
  metrics: { delivered: (event, outcome) => counted.push(`${event} ${outcome}`) },
  now: () => now ?? Date.now(),
  log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
});

beforeEach(() => {
  hints = [];
  counted = [];
  lines = [];
  rule = { mode: 'signature', secrets: [secret] };
  journalFault = null;
  now = null;
});

const asItIs = (body: unknown): string => body as string;

/** Sends bytes as they are, where supertest would make JSON of them. */
function post(body: string | Buffer, headers: Record<string, string> = headersOf(body)): request.Test {
  return request(app).post(path).set(headers).serialize(asItIs).send(body);
}

function isError(answer: request.Response, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  const error = answer.body as Record<string, string>;
  assert.deepEqual(Object.keys(error).toSorted(), ['error', 'id', 'message']);
  assert.equal(error['error'], code);
  assert.match(error['id'] ?? '', /^[0-9a-f-]{36}$/);
  assert.ok(error['message']);
}

const json = (body: unknown): string => JSON.stringify(body);

describe('a delivery is accepted', () => {
  it('when a build of ours finished: 202 with the delivery’s name, and the hint is kept', async () => {
    const build = randomUUID();
    const answer = await post(json(bodyOf({ build })));
    assert.equal(answer.status, 202);
    assert.deepEqual(Object.keys(answer.body as object), ['delivery']);
    assert.match((answer.body as { delivery: string }).delivery, /^[0-9a-f-]{36}$/);
    assert.equal(hints[0]?.build, build);
    assert.deepEqual(counted, ['build.finished accepted']);
  });

  it('when a job of ours finished', async () => {
    const job = randomUUID();
    const answer = await post(json(bodyOf({ event: 'job.finished', job })));
    assert.equal(answer.status, 202);
    assert.equal(hints[0]?.job, job);
    assert.deepEqual(counted, ['job.finished accepted']);
  });

  it('with parameters and capitals in its media type', async () => {
    const body = json(bodyOf());
    const answer = await post(body, { ...headersOf(body), 'Content-Type': 'Application/JSON; charset=utf-8' });
    assert.equal(answer.status, 202);
  });

  it('of 5 MiB to the byte', async () => {
    const body = json(bodyOf()).padEnd(maxBodyBytes, ' ');
    assert.equal((await post(body)).status, 202);
  });

  it('with the token alone where tokens are what is configured', async () => {
    rule = { mode: 'token', secrets: ['older', secret] };
    const answer = await post(json(bodyOf()), { 'Content-Type': 'application/json', 'X-Buildkite-Token': secret });
    assert.equal(answer.status, 202);
  });

  it('with a secret that came into force a moment ago, and no longer with the one that it replaced', async () => {
    const body = json(bodyOf());
    const signed = headersOf(body);
    rule = { mode: 'signature', secrets: ['another'] };
    assert.equal((await post(body, signed)).status, 401);
    const resigned = { ...signed, 'X-Buildkite-Signature': signatureOf(body, undefined, 'another') };
    assert.equal((await post(body, resigned)).status, 202);
  });
});

describe('a delivery is heard and asks for nothing', () => {
  it('when it is a ping: 200', async () => {
    const answer = await post(json({ event: 'ping', service: {}, organization: null }));
    assert.equal(answer.status, 200);
    assert.deepEqual(counted, ['ping ping']);
  });

  it('when it is Buildkite’s own recorded ping, in the minute in which it was sent', {
    skip: recordedSkip,
  }, async () => {
    const ping = readRecorded<{ headers: Record<string, string>; token: string; raw_body: string }>(
      'webhooks/ping.go-buildkite.signed.json',
    );
    rule = { mode: 'signature', secrets: [ping.token] };
    now = 1_642_080_837_000;
    assert.equal((await post(ping.raw_body, ping.headers)).status, 200);
    now = Date.now();
    assert.equal((await post(ping.raw_body, ping.headers)).status, 401);
  });

  it('when it is any other event: 204, and no label is made of its name', async () => {
    for (const event of ['build.running', 'job.promised_exit_status', 'made_up']) {
      const answer = await post(json(bodyOf({ event })));
      assert.equal(answer.status, 204);
      assert.equal(answer.text, '');
    }
    assert.deepEqual(hints, []);
    assert.deepEqual([...new Set(counted)], ['other ignored']);
  });

  it('when it is of another organization: 204', async () => {
    assert.equal((await post(json(bodyOf({ organization: 'other' })))).status, 204);
    assert.deepEqual(hints, []);
    assert.deepEqual(counted, ['build.finished ignored']);
  });
});

describe('a delivery is refused', () => {
  it('without a signature: 401', async () => {
    isError(await post(json(bodyOf()), { 'Content-Type': 'application/json' }), 401, 'ERR_DELIVERY_UNVERIFIED');
    assert.deepEqual(counted, ['none unverified']);
  });

  it('with a missing, a wrong and a stale signature by one and the same answer', async () => {
    const body = json(bodyOf());
    const stale = signatureOf(body, Math.floor(Date.now() / 1000) - 302);
    const headers = { 'Content-Type': 'application/json' };
    const answers = [
      await post(body, headers),
      await post(body, { ...headers, 'X-Buildkite-Signature': signatureOf(`${body} `) }),
      await post(body, { ...headers, 'X-Buildkite-Signature': stale }),
    ];
    const [first, ...others] = answers.map(({ status, body: answer }) => ({ status, ...(answer as object), id: '' }));
    assert.equal(first?.status, 401);
    for (const other of others) assert.deepEqual(other, first);
  });

  it('with a token where signatures are asked for: 401', async () => {
    const headers = { 'Content-Type': 'application/json', 'X-Buildkite-Token': secret };
    isError(await post(json(bodyOf()), headers), 401, 'ERR_DELIVERY_UNVERIFIED');
  });

  it('with a signature where tokens are asked for: 401', async () => {
    rule = { mode: 'token', secrets: [secret] };
    isError(await post(json(bodyOf())), 401, 'ERR_DELIVERY_UNVERIFIED');
  });

  it('with two signatures: 401', async () => {
    const body = json(bodyOf());
    const twice = `${signatureOf(body)}, ${signatureOf(body)}`;
    isError(await post(body, { ...headersOf(body), 'X-Buildkite-Signature': twice }), 401, 'ERR_DELIVERY_UNVERIFIED');
  });

  it('with bytes that are not UTF-8: 401 unsigned, 400 signed', async () => {
    const body = Buffer.from([0x7b, 0xff, 0xfe, 0x7d]);
    const unsigned = { ...headersOf(body), 'X-Buildkite-Signature': signatureOf('{}') };
    isError(await post(body, unsigned), 401, 'ERR_DELIVERY_UNVERIFIED');
    isError(await post(body), 400, 'ERR_DELIVERY_MALFORMED');
  });

  it('without a body: 401 unsigned, 400 signed', async () => {
    isError(await request(app).post(path).set('Content-Type', 'application/json'), 401, 'ERR_DELIVERY_UNVERIFIED');
    isError(await post(''), 400, 'ERR_DELIVERY_MALFORMED');
  });

  it('that is not JSON: 400, and its text is neither answered nor logged', async () => {
    const answer = await post('{"password": hunter2');
    isError(answer, 400, 'ERR_DELIVERY_MALFORMED');
    assert.doesNotMatch(answer.text + lines.join(''), /hunter2/);
    assert.deepEqual(counted, ['none malformed']);
  });

  for (const [what, body] of Object.entries({
    'an array': '[]',
    null: 'null',
    'an endless nest': '['.repeat(500_000),
    'a byte order mark': '\uFEFF{"event":"ping"}',
    'a finished build without ids': json({ event: 'build.finished', build: { '...': '...' } }),
    'a finished job without a job': json(bodyOf({ event: 'job.finished' })),
    'an id that is a path': json(bodyOf({ build: '../../../etc/passwd' })),
  })) {
    it(`that is ${what}: 400`, async () => isError(await post(body), 400, 'ERR_DELIVERY_MALFORMED'));
  }

  it('with a reason that names the field', async () => {
    const answer = await post(json(bodyOf({ build: 'foo' })));
    assert.match((answer.body as { message: string }).message, /^build\.id is missing or is not a uuid/);
  });

  it('one byte over 5 MiB: 413, announced or not', async () => {
    const body = json(bodyOf()).padEnd(maxBodyBytes + 1, ' ');
    isError(await post(body), 413, 'ERR_DELIVERY_TOO_LARGE');
    const chunked = request(app).post(path).set(headersOf(body));
    chunked.write(body);
    isError(await chunked, 413, 'ERR_DELIVERY_TOO_LARGE');
    assert.deepEqual(counted, ['none too_large', 'none too_large']);
  });

  it('of another media type, or of none: 415', async () => {
    const body = json(bodyOf());
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json5',
      'text/application/json',
      '',
    ]) {
      isError(await post(body, { ...headersOf(body), 'Content-Type': type }), 415, 'ERR_DELIVERY_MEDIA_TYPE');
    }
    assert.deepEqual([...new Set(counted)], ['none media_type']);
  });

  it('compressed: 415', async () => {
    const body = json(bodyOf());
    isError(await post(body, { ...headersOf(body), 'Content-Encoding': 'gzip' }), 415, 'ERR_DELIVERY_MEDIA_TYPE');
  });

  it('while the journal cannot be written: 503, and it is not lost silently', async () => {
    journalFault = new MirrorError('ERR_JOURNAL_UNAVAILABLE', 'the journal cannot be written: a write failed (ENOSPC)');
    isError(await post(json(bodyOf())), 503, 'ERR_JOURNAL_UNAVAILABLE');
    assert.match(lines.join(''), /"level":50.*ERR_JOURNAL_UNAVAILABLE/);
    assert.deepEqual(counted, ['build.finished unavailable']);
  });

  it('by any method but POST: 405, which is none of the counted deliveries', async () => {
    for (const method of ['get', 'put', 'delete', 'patch', 'options'] as const) {
      const answer = await request(app)[method](path);
      isError(answer, 405, 'ERR_METHOD_NOT_ALLOWED');
      assert.equal(answer.headers['allow'], 'POST');
    }
    assert.equal((await request(app).head(path)).status, 405);
    assert.deepEqual(counted, []);
  });

  it('at any other address: 404', async () => {
    for (const other of [
      `${path}/`,
      `${path}/x`,
      '/-/Webhooks/buildkite',
      '/',
      '/-/webhooks',
      '/-/webhooks/buildkite%2f',
    ]) {
      isError(await request(app).post(other), 404, 'ERR_NOT_FOUND');
    }
  });

  it('for the first reason in the order method, media type, size, signature, JSON, schema', async () => {
    const large = 'x'.repeat(maxBodyBytes + 1);
    assert.equal((await request(app).put(path).set('Content-Type', 'text/plain').send('x')).status, 405);
    assert.equal((await post(large, { 'Content-Type': 'text/plain' })).status, 415);
    assert.equal((await post(large, { 'Content-Type': 'application/json' })).status, 413);
    assert.equal((await post('{', { 'Content-Type': 'application/json' })).status, 401);
    assert.equal((await post('{')).status, 400);
  });

  it('under the id that the front server gave it, if that is one', async () => {
    const idOf = async (given: string): Promise<string> => {
      const answer = await request(app).post('/').set('X-Request-Id', given);
      return (answer.body as { id: string }).id;
    };
    assert.equal(await idOf('3f2a001'), '3f2a001');
    assert.match(await idOf('"}{"'), /^[0-9a-f-]{36}$/);
  });

  it('with an answer that tells nothing of a fault of our own but an id, which the log has too', async () => {
    journalFault = new TypeError('private detail') as unknown as MirrorError;
    const answer = await post(json(bodyOf()));
    isError(answer, 500, 'ERR_INTERNAL');
    assert.doesNotMatch(answer.text, /private/);
    assert.ok(lines.join('').includes((answer.body as { id: string }).id));
    assert.match(lines.join(''), /private detail/);
    assert.deepEqual(counted, ['build.finished failed']);
  });
});

describe('a sender that is slow or leaves', () => {
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`;

  async function withServer(work: (open: () => Promise<Socket>) => Promise<void>, requestMs = 5000): Promise<void> {
    const server = await listen(createHttpServer(app, { headMs: 150, requestMs }), { host: '127.0.0.1', port: 0 });
    try {
      await work(async () => {
        const { address } = server;
        const socket = 'port' in address ? connect(address.port, address.host) : connect(address.path);
        await once(socket, 'connect');
        return socket;
      });
    } finally {
      await server.close();
    }
  }

  it('is answered 408 and cut when the body does not come', async () => {
    await withServer(async (open) => {
      const socket = await open();
      socket.write(head);
      const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
      assert.match(answer, /^HTTP\/1\.1 408 /);
      await once(socket, 'close');
    }, 300);
  });

  it('is told why it is refused also when it sends a large body before it listens', { timeout: 10_000 }, async () => {
    await withServer(async (open) => {
      const socket = await open();
      const length = 4 * maxBodyBytes;
      const closing = head.replace('Host: x', 'Host: x\r\nConnection: close').replace('1000', String(length));
      socket.pause().write(closing.replace('application/json', 'text/plain'));
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject).write(Buffer.alloc(length - 1), () => resolve());
      });
      const [answer] = (await once(socket.setEncoding('utf8').resume(), 'data')) as [string];
      assert.match(answer, /^HTTP\/1\.1 415 /);
      await once(socket, 'close');
    });
  });

  it('is counted as aborted when it leaves in the middle of its body', async () => {
    await withServer(async (open) => {
      const socket = await open();
      socket.write(head);
      socket.destroy();
      while (counted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual(counted, ['none aborted']);
    });
  });
});

describe('readiness', () => {
  it('is 200 while deliveries can be kept', async () => {
    const answer = await request(app).get('/-/readyz');
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { status: 'ready' });
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  it('is 503 and says why while they cannot', async () => {
    journalFault = new MirrorError('ERR_JOURNAL_UNAVAILABLE', 'no room');
    const answer = await request(app).get('/-/readyz');
    assert.equal(answer.status, 503);
    assert.deepEqual(answer.body, { status: 'unready', checks: { journal: 'no room' } });
  });

  it('is not for other methods: 405', async () => {
    isError(await request(app).post('/-/readyz'), 405, 'ERR_METHOD_NOT_ALLOWED');
  });
});
