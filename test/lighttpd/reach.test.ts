import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { it } from 'node:test';
import { ask } from './ask.ts';
import { freePort, settings, spawnLighttpd, startSite } from './site.ts';
import { until } from './until.ts';

async function hasIpv6(): Promise<boolean> {
  const server = createTcpServer();
  const outcome = Promise.race([
    once(server, 'listening').then(() => true),
    new Promise<boolean>((resolve) => server.once('error', () => resolve(false))),
  ]);
  server.listen(0, '::1');
  const found = await outcome;
  server.close();
  return found;
}

it('back ends may be on other machines: a host and a port instead of a socket', async (t) => {
  const gateway = createServer((request, response) => response.end(`over TCP: ${request.url}`));
  gateway.listen(0, '127.0.0.1');
  await once(gateway, 'listening');
  const { port } = gateway.address() as AddressInfo;
  const site = await startSite({ KITEMIRROR_GATEWAY_LISTEN: `127.0.0.1:${port}` });
  t.after(async () => {
    await site.close();
    gateway.closeAllConnections();
    gateway.close();
  });
  assert.equal((await ask(site.port, '/some/where/?x=1')).text, 'over TCP: /some/where/?x=1');
  assert.equal((await ask(site.port, '/-/readyz')).text, 'receiver\n');
});

it('it listens on an IPv6 address too', { skip: !(await hasIpv6()) }, async (t) => {
  const site = await startSite();
  t.after(() => site.close());
  const port = await freePort();
  const more = { KITEMIRROR_LISTEN: `[::1]:${port}`, KITEMIRROR_URL: `http://[::1]:${port}` };
  const { child, said } = spawnLighttpd(settings(`${site.paths.root}/other`, port, more));
  t.after(() => child.kill('SIGTERM'));
  await until('it answers', async () => {
    assert.equal(child.exitCode, null, said());
    return (await ask(port, '/-/healthz', { host: '::1' }).catch(() => null))?.status === 200;
  });
});

it('with HTTP/2 asked for, a cleartext client still gets HTTP/1.1', async (t) => {
  const site = await startSite({ KITEMIRROR_HTTP2: 'on' });
  t.after(() => site.close());
  const upgrade = {
    Connection: 'Upgrade, HTTP2-Settings',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AAMAAABkAAQCAAAAAAIAAAAA',
  };
  assert.equal((await ask(site.port, '/-/healthz', { headers: upgrade })).text, 'ok\n');
});
