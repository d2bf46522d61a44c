/** What is answered to listed addresses alone, and how much one address may have at once; behind a trusted proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { createServer, Agent as HttpAgent, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Agent } from 'undici';
import { createRest } from '../../src/buildkite/rest.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { readSenders } from '../../src/tree/webhook-senders.ts';
import { createSenderCare } from '../../workers/webhook-senders.ts';
import { type Answer, ask, faultOf } from './ask.ts';
import { type Site, startSite } from './site.ts';
import { until } from './until.ts';

const hook = '/-/webhooks/buildkite';
let site: Site;
/** What Buildkite's `/v2/meta` answers. */
let meta: unknown = {};
const buildkite = createServer((_, response) => response.end(JSON.stringify(meta)));
const dispatcher = new Agent();

before(async () => {
  buildkite.listen(0, '127.0.0.1');
  await once(buildkite, 'listening');
  site = await startSite({
    KITEMIRROR_TRUSTED_PROXIES: '127.0.0.1',
    KITEMIRROR_WEBHOOK_ADDRESSES: 'buildkite, 10.1.0.0/16',
    KITEMIRROR_CI_ADDRESSES: '10.2.0.0/16,2001:db8:2::/48',
    KITEMIRROR_API_ADDRESSES: '10.3.0.3',
    KITEMIRROR_CONNECTIONS_PER_ADDRESS: '4',
  });
});
after(async () => {
  await site.close();
  await dispatcher.close();
  buildkite.close();
});

function post(path: string, address: string, agent?: HttpAgent): Promise<Answer> {
  const question = { method: 'POST', headers: { 'X-Forwarded-For': address }, body: '{}' };
  return ask(site.port, path, agent === undefined ? question : { ...question, agent });
}

function expectRefused(answer: Answer): void {
  assert.equal(answer.status, 403);
  assert.equal(faultOf(answer).error, 'ERR_ADDRESS_REFUSED');
}

/** Each process of Lighttpd looks for a new list by itself, when it is asked: many in a row were answered by all of them. */
async function settled(address: string, status: number): Promise<void> {
  await until(`${address} gets ${status} of all processes`, async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(hook, address)));
    return answers.every((answer) => answer.status === status);
  });
}

/** What a process of Lighttpd knows of the list is never older than this; no answer tells which of them has looked. */
async function lookedAtEverywhere(): Promise<void> {
  const wait = Date.now() + 2200;
  await until('it was looked at again', () => Date.now() > wait);
}

/** One look at `/v2/meta`, as the worker has it with each comparison. */
async function look(now?: () => number): Promise<void> {
  const apiUrl = new URL(`http://127.0.0.1:${(buildkite.address() as AddressInfo).port}`);
  const budget = { spend: async () => undefined, settle: () => undefined };
  const rest = createRest({ apiUrl, token: () => 'x', dispatcher, budget, workClass: 'reconcile' });
  const log = createLog('worker', 'error');
  await createSenderCare({ rest, paths: site.paths, log, ...(now === undefined ? {} : { now }) })(
    AbortSignal.timeout(20_000),
  );
}

describe('deliveries, limited to Buildkite’s addresses and some of ours', () => {
  it('are taken from everywhere until its list was read once, and the start says so', async () => {
    assert.equal((await post(hook, '203.0.113.1')).text, 'receiver\n');
    assert.match(site.said(), /addresses of Buildkite.s webhooks are not known yet/);
  });

  it('are taken from the list that was read, and from what is listed here; nobody else’s are passed on', async () => {
    meta = { webhook_ips: ['192.0.2.0/24', '198.51.100.12', '2001:db8:1::/48'], more: 1 };
    await look();
    await lookedAtEverywhere();
    await settled('203.0.113.1', 403);
    for (const address of ['192.0.2.200', '198.51.100.12', '2001:db8:1::7', '10.1.2.3'])
      assert.equal((await post(hook, address)).status, 200, address);
    site.receiver.heard.length = 0;
    for (const address of ['192.0.3.1', '198.51.100.13', '2001:db8:2::7', '10.2.0.1', '192.0.2.1, 203.0.113.9'])
      expectRefused(await post(hook, address));
    assert.equal(site.receiver.heard.length, 0);
    const [line] = await site.logged(hook);
    assert.equal(line?.method, 'POST');
    assert.deepEqual(
      (await site.logged(hook))
        .filter(({ status }) => status === 403)
        .map(({ decision, reason }) => [decision, reason])[0],
      ['refused', 'address'],
    );
  });

  it('follow a new list after a day, and keep the last good one whatever is answered meanwhile', async () => {
    const later = (): number => Date.now() + 86_400_001;
    for (const bad of [
      {},
      { webhook_ips: [] },
      { webhook_ips: ['192.0.2.0/24', 'all'] },
      { webhook_ips: ['0.0.0.0/0'] },
    ]) {
      meta = bad;
      await look(later);
    }
    assert.deepEqual((await readSenders(site.paths))?.ranges, ['192.0.2.0/24', '198.51.100.12/32', '2001:db8:1::/48']);
    meta = { webhook_ips: ['203.0.113.0/24'] };
    await look();
    assert.equal((await readSenders(site.paths))?.ranges.length, 3, 'not before a day is over');
    const yesterday = new Date(Date.now() - 86_500_000);
    utimesSync(site.paths.webhookSenders, yesterday, yesterday);
    await look();
    await lookedAtEverywhere();
    await settled('203.0.113.1', 200);
    await settled('192.0.2.200', 403);
    // One connection is one process, until it is refused: another may not have been asked since the new list came.
    const kept = ['kitemirror-webhook-senders 1\n192.0.2.0/24\n', 'kitemirror-webhook-senders 1\nall\nend\n'].map(
      (torn) => ({ torn, agent: new HttpAgent({ keepAlive: true, maxSockets: 1 }) }),
    );
    for (const { agent } of kept) assert.equal((await post(hook, '203.0.113.1', agent)).status, 200);
    for (const { torn, agent } of kept) {
      writeFileSync(site.paths.webhookSenders, torn);
      await lookedAtEverywhere();
      assert.equal((await post(hook, '203.0.113.1', agent)).status, 200);
      expectRefused(await post(hook, '192.0.2.200', agent));
      agent.destroy();
    }
  });
});

describe('CI routes and the API, limited to listed ranges', () => {
  it('are kept from all others, in every spelling that the gateway would take', async () => {
    for (const path of ['/-/auth/token', '/-/auth/token/', '/-/auth/TOKEN', '/-/auth/%74oken', '/-/auth/token?x=1']) {
      expectRefused(await post(path, '10.3.0.3'));
      assert.equal((await post(path, '10.2.9.9')).text, 'gateway\n', path);
    }
    assert.equal((await post('/-/auth/token', '2001:db8:2:9::1')).text, 'gateway\n');
    for (const path of ['/-/api/v2/builds', '/-/api', '/-/mcp', '/-/mcp/']) {
      expectRefused(await post(path, '10.2.9.9'));
      assert.equal((await post(path, '10.3.0.3')).text, 'gateway\n', path);
    }
  });

  it('and nothing else is', async () => {
    for (const path of ['/-/auth/login', '/-/search', '/-/auth/tokens'])
      assert.equal(
        (await ask(site.port, path, { headers: { 'X-Forwarded-For': '203.0.113.1' } })).text,
        'gateway\n',
        path,
      );
  });

  it('are settings that name ranges, or any', () => {
    const parse = (name: string, value: string): unknown =>
      parseConfig({ BUILDKITE_ORGANIZATION: 'acme', [name]: value }, 'lighttpd', '/srv').config.reach;
    for (const name of ['CI_ADDRESSES', 'API_ADDRESSES', 'WEBHOOK_ADDRESSES'].map((each) => `KITEMIRROR_${each}`))
      for (const value of ['all', '10.0.0.0/99', 'example.com', ',', '10.0.0.1;1'])
        assert.throws(() => parse(name, value), new RegExp(name), `${name}=${value}`);
    for (const value of ['0', '-1', 'none', '1.5']) {
      assert.throws(
        () => parse('KITEMIRROR_CONNECTIONS_PER_ADDRESS', value),
        /neither a number of connections nor off/,
      );
    }
  });
});

describe('connections of one address', () => {
  /** A peer of its own: all of 127.0.0.0/8 is this machine's, and only 127.0.0.1 is spared. */
  const greedy = '127.0.0.9';

  it('beyond what it may have are refused and closed; others are served, and it is too when it has let go', async () => {
    const sockets: Socket[] = [];
    const open = async (): Promise<void> => {
      const socket = connect({ host: '127.0.0.1', port: site.port, localAddress: greedy });
      socket.on('error', () => socket.destroy());
      await once(socket, 'connect');
      // A head that does not end: it holds its place.
      socket.write('GET /-/healthz HTTP/1.1\r\n');
      sockets.push(socket);
    };
    // Whatever the number of processes, one of them has more than four of them.
    for (let i = 0; i < 64; i += 1) await open();
    let refused: IncomingMessage | null = null;
    await until('the address is refused', async () => {
      const asked = request({
        host: '127.0.0.1',
        port: site.port,
        path: '/-/healthz',
        localAddress: greedy,
        agent: false,
        headers: { Connection: 'keep-alive' },
      }).end();
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      if (answer.statusCode === 429) refused = answer;
      return refused !== null;
    });
    const { headers } = refused as unknown as IncomingMessage;
    assert.equal(headers.connection, 'close');
    assert.ok(Number(headers['retry-after']) > 0);
    for (const from of ['127.0.0.1', '127.0.0.8'])
      assert.equal((await ask(site.port, '/-/healthz', { from })).status, 200, from);
    for (const socket of sockets) socket.destroy();
    const free = async (): Promise<boolean> => {
      const answers = await Promise.all([1, 2, 3, 4].map(() => ask(site.port, '/-/healthz', { from: greedy })));
      return answers.every(({ status }) => status === 200);
    };
    await until('the address is served again', free);
  });
});
