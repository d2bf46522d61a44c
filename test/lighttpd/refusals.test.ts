import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { type ErrorCode, policyOf } from '../../src/errors.ts';
import { ask, askRaw, faultOf } from './ask.ts';
import { build, openJob, place, put, root, type Site, settledJob, startBackEnd, startSite } from './site.ts';
import { until } from './until.ts';

let site: Site;
const MiB = 1024 * 1024;
const hook = '/-/webhooks/buildkite';
const file = `${build}/jobs/${openJob}/artifacts/a.txt`;

before(async () => {
  // An organization of which nothing is mirrored yet.
  site = await startSite({ BUILDKITE_ORGANIZATION: 'empty' });
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/a.txt'), 'a');
  put(site.paths, site.paths.jobFile(place, settledJob, 'job.json'), '{}');
});
afterEach(() => {
  site.receiver.heard.splice(0);
  site.gateway.heard.splice(0);
});
after(() => site.close());

/** An error as every error is: JSON with an id, never kept by a cache. */
function expectFault(answer: Awaited<ReturnType<typeof ask>>, status: number, code: ErrorCode): void {
  const fault = faultOf(answer);
  assert.deepEqual([answer.status, fault.error], [status, code]);
  assert.deepEqual(Object.keys(fault), ['error', 'message', 'id']);
  assert.match(fault.id, /^[0-9a-f]{22}$/);
  assert.equal(answer.headers['x-request-id'], fault.id);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
}

describe('a request for another host', () => {
  it('gets 421, whatever it asks for', async () => {
    for (const host of [
      'example.com',
      'localhost.evil.com',
      '127.0.0.1:1',
      `127.0.0.2:${site.port}`,
      '[::2]',
      'evil',
    ]) {
      for (const path of ['/', file, '/-/healthz', hook]) {
        expectFault(await ask(site.port, path, { headers: { Host: host } }), 421, 'ERR_MISDIRECTED');
      }
    }
    assert.match(await askRaw(site.port, `GET ${file} HTTP/1.0\r\n\r\n`), /^HTTP\/1\.0 421 /);
    for (const [host, status] of [
      ['example.com', 421],
      ['localhost', 400],
    ]) {
      const absolute = `GET http://example.com${file} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      assert.match(await askRaw(site.port, absolute), new RegExp(`^HTTP/1.1 ${status} `));
    }
  });

  it('is not one for a loopback name when the mirror’s own is one', async () => {
    for (const name of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]']) {
      for (const host of [name, `${name}:${site.port}`]) {
        assert.equal((await ask(site.port, file, { headers: { Host: host } })).status, 200, host);
      }
    }
  });
});

describe('a method that an address does not have', () => {
  it('gets 405 and is told which it has', async () => {
    const allowed: Record<string, string> = {
      [file]: 'GET, HEAD',
      [`${build}/`]: 'GET, HEAD',
      '/nothing': 'GET, HEAD',
      '/organizations/x': 'GET, HEAD',
      '/-/healthz': 'GET, HEAD',
      '/-/readyz': 'GET, HEAD',
      '/-/api/x': 'GET, HEAD, POST',
      [hook]: 'POST',
    };
    for (const [path, methods] of Object.entries(allowed)) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND']) {
        if (methods.split(', ').includes(method)) continue;
        const answer = await ask(site.port, path, { method, headers: { 'Content-Length': '0' } });
        assert.deepEqual([path, method, answer.status, answer.headers.allow], [path, method, 405, methods]);
        if (method !== 'HEAD') expectFault(answer, 405, 'ERR_METHOD_NOT_ALLOWED');
      }
    }
    assert.equal(site.gateway.heard.length + site.receiver.heard.length, 0);
  });

  it('is refused also with a large body, which nobody reads', async () => {
    const answer = await ask(site.port, file, { method: 'POST', body: Buffer.alloc(200_000) });
    // 413 where every answer must pass the second hook: 1.4.83 and 1.4.84.
    const isLate = answer.status === 413;
    expectFault(answer, isLate ? 413 : 405, isLate ? 'ERR_REQUEST_TOO_LARGE' : 'ERR_METHOD_NOT_ALLOWED');
  });

  it('is refused also where Lighttpd itself does not know it', async () => {
    const bytes = `FETCH ${file} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    const answer = await askRaw(site.port, bytes);
    assert.match(answer, /^HTTP\/1\.1 501 [\s\S]*Cache-Control: no-store[\s\S]*"error":"ERR_METHOD_NOT_ALLOWED"/);
  });
});

describe('an address that cannot be one', () => {
  it('gets 400 or 404, in JSON', async () => {
    for (const path of [
      '/../x',
      `${build}/../../etc`,
      '/a/%2e%2e/b',
      '/a%2Fb',
      '/a/./b',
      '//acme/',
      '/a%00b',
      '/%ff',
      '/%c0%ae',
      '/a%0ab',
    ]) {
      expectFault(await ask(site.port, path), 400, 'ERR_REQUEST_MALFORMED');
    }
    for (const path of [
      '/favicon.ico',
      '/etc/passwd',
      `${file}/more`,
      `${build}/x`,
      '/acme/web/builds/x/build.json',
      '/-',
      '/-/',
      '/-/x',
    ]) {
      expectFault(await ask(site.port, path), 404, 'ERR_NOT_FOUND');
    }
  });

  it('or a head that is too long, gets an error in JSON', async () => {
    const answer = await ask(site.port, file, { headers: { 'X-Long': 'x'.repeat(20_000) } });
    expectFault(answer, 431, 'ERR_REQUEST_MALFORMED');
    assert.match(faultOf(answer).message, /16 KiB/);
  });

  it('or a body of unknown length, or another version of HTTP, is told what is wrong, and not to come again', async () => {
    const said = {
      [`POST ${file} HTTP/1.1`]: /^HTTP\/1\.1 411 [\s\S]*"ERR_REQUEST_MALFORMED","message":"[^"]*Content-Length/,
      [`GET ${file} HTTP/3.0`]: /^HTTP\/1\.0 505 [\s\S]*"ERR_REQUEST_MALFORMED","message":"[^"]*version of HTTP/,
    };
    for (const [line, wanted] of Object.entries(said)) {
      const answer = await askRaw(site.port, `${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      assert.match(answer, wanted);
      assert.doesNotMatch(answer, /^Retry-After:/im);
    }
  });

  it('cannot smuggle what its refusal says', async () => {
    const head = `GET /../x HTTP/1.1\r\nHost: localhost\r\nX-Kitemirror-To: gateway\r\nX-Request-Id: "}]\r\n`;
    const answer = await askRaw(site.port, `${head}Connection: close\r\n\r\n`);
    assert.match(answer, /"id":"[0-9a-f]{22}"\}\n$/);
  });
});

describe('a body', () => {
  it('of a delivery reaches the receiver byte by byte, whole and in one piece', async () => {
    const body = JSON.stringify({ text: 'ü\u2028 '.repeat(1000), number: 1.0 });
    for (const headers of [{ 'Transfer-Encoding': 'chunked' }, { 'Content-Length': Buffer.byteLength(body) }]) {
      const signed = {
        ...headers,
        'X-Buildkite-Signature': 'timestamp=1,signature=ab',
        'Content-Type': 'application/json',
      };
      assert.equal((await ask(site.port, hook, { method: 'POST', headers: signed, body })).status, 200);
      const heard = site.receiver.heard.pop();
      assert.equal(heard?.body, body);
      assert.equal(heard?.headers['x-buildkite-signature'], 'timestamp=1,signature=ab');
      assert.equal(heard?.headers['content-length'], String(Buffer.byteLength(body)));
    }
  });

  it('a little over 5 MiB is the receiver’s to refuse, one far over it is refused unread', async () => {
    const answer = await ask(site.port, hook, { method: 'POST', body: Buffer.alloc(5 * MiB + 1) });
    assert.equal(answer.text, 'receiver\n');
    assert.equal(site.receiver.heard.pop()?.body.length, 5 * MiB + 1);
    for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
      const large = await ask(site.port, hook, { method: 'POST', headers, body: Buffer.alloc(7 * MiB) });
      expectFault(large, 413, 'ERR_DELIVERY_TOO_LARGE');
    }
    assert.equal(site.receiver.heard.length, 0);
  });

  it('for the gateway is small', async () => {
    assert.equal((await ask(site.port, '/-/mcp', { method: 'POST', body: 'x'.repeat(60_000) })).text, 'gateway\n');
    const answer = await ask(site.port, '/-/mcp', { method: 'POST', body: 'x'.repeat(70_000) });
    expectFault(answer, 413, 'ERR_REQUEST_TOO_LARGE');
  });
});

describe('what a client says in our name', () => {
  it('never reaches a back end, however it is spelled', async () => {
    const spelled = [
      'X-Kitemirror-User',
      'X-Kitemirror-Address',
      'x-KITEMIRROR-to',
      'X_Kitemirror_User',
      'X-Kitemirror_User',
      'X-Forwarded-Host',
    ];
    const ours = [
      ...spelled,
      'x-forwarded-proto',
      'X-Real-IP',
      'Forwarded',
      'X-Request-ID',
      'X_Forwarded_For',
      'X-Forwarded-For',
    ];
    const headers = Object.fromEntries(ours.map((name) => [name, 'forged']));
    for (const path of ['/-/api/x', '/organizations/x/y', '/none/']) {
      await ask(site.port, path, { headers: { ...headers, Authorization: 'Bearer x', Cookie: 'a=b' } });
      const heard = site.gateway.heard.pop();
      assert.ok(!JSON.stringify(heard?.headers).includes('forged'), JSON.stringify(heard?.headers));
      assert.deepEqual([heard?.headers.authorization, heard?.headers.cookie], ['Bearer x', 'a=b']);
      assert.equal(heard?.headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(heard?.headers['x-kitemirror-address'], '127.0.0.1');
      assert.match(String(heard?.headers['x-request-id']), /^[0-9a-f]{22}$/);
    }
  });

  it('chooses no back end', async () => {
    for (const to of ['gateway', 'receiver']) {
      const answer = await ask(site.port, file, { headers: { 'X-Kitemirror-To': to, X_Kitemirror_To: to } });
      assert.equal(answer.text, 'a');
      expectFault(await ask(site.port, '/nothing', { headers: { 'X-Kitemirror-To': to } }), 404, 'ERR_NOT_FOUND');
    }
    assert.equal(site.gateway.heard.length + site.receiver.heard.length, 0);
  });
});

describe('what the gateway answers at a file’s address', () => {
  it('is asked for as it was sent, and logged as it was sent', async () => {
    site.gateway.answer((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '2' }).end('ok');
    });
    const sent = `${build}/jobs/${settledJob}/artifacts/n%C3%B6t%20here.txt`;
    for (const [index, method] of ['GET', 'HEAD'].entries()) {
      const answer = await ask(site.port, `${sent}?view&at=3`, { method, headers: { 'X-Request-Id': 'forged' } });
      assert.equal(answer.status, 200);
      const heard = site.gateway.heard.pop();
      assert.deepEqual([heard?.method, heard?.url], [method, `${sent}?view&at=3`]);
      assert.equal(heard?.headers['x-request-id'], answer.headers['x-request-id']);
      assert.equal(heard?.headers.host, `127.0.0.1:${site.port}`);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      const [line] = (await site.logged('here.txt', index + 1)).filter(
        ({ id }) => id === answer.headers['x-request-id'],
      );
      assert.deepEqual([line?.['url'], line?.['query'], line?.['status']], [sent, 'view&at', 200]);
    }
    site.gateway.heard.splice(0);
    await ask(site.port, sent);
    assert.equal(site.gateway.heard.pop()?.url, sent);
  });

  it('has no address of its own that a client could ask for', async () => {
    expectFault(await ask(site.port, '/-/detour'), 404, 'ERR_NOT_FOUND');
    assert.equal(site.gateway.heard.length, 0);
  });

  it('is asked about a build, its comparison or an organization without its slash, too, and about nothing else that is not there', async () => {
    for (const path of ['/empty', '/acme/web/builds/43', '/acme/web/builds/43/compare']) {
      await ask(site.port, path);
      assert.equal(site.gateway.heard.pop()?.url, path);
    }
    for (const path of [
      '/emp',
      '/nothing',
      '/acme/web/builds/43/x',
      '/acme/web/builds/43/compare/x',
      '/acme/web/builds/x',
    ])
      expectFault(await ask(site.port, path), 404, 'ERR_NOT_FOUND');
    assert.equal(site.gateway.heard.length, 0);
  });
});

describe('a back end that is away', () => {
  it('costs what it answers and nothing else, until it is back', async () => {
    const socket = join(site.paths.root, 'run', 'gateway.sock');
    await site.gateway.close();
    const away = await ask(site.port, '/none/');
    expectFault(away, 503, 'ERR_BACKEND_UNAVAILABLE');
    assert.ok(Number(away.headers['retry-after']) > 0);
    assert.equal((await ask(site.port, file)).status, 200);
    assert.equal((await ask(site.port, '/-/healthz')).status, 200);
    const head = await ask(site.port, '/none/', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [503, '']);
    // What is asked of a file's address, too, where no hook completes an answer unless it has to.
    const view = await ask(site.port, `${file}?view`);
    expectFault(view, 503, 'ERR_BACKEND_UNAVAILABLE');
    assert.ok(Number(view.headers['retry-after']) > 0);
    for (const path of [`${build}/jobs/${settledJob}/artifacts/x`, `${build}9`, '/empty'])
      expectFault(await ask(site.port, path), 404, 'ERR_NOT_FOUND');
    const back = await startBackEnd('again', socket);
    await until('the gateway is asked again', async () => (await ask(site.port, '/none/')).text === 'again\n', 5000);
    await back.close();
  });

  it('or ends in the middle of an answer, is told as an error or as a cut connection, never as a whole answer', async () => {
    site.receiver.answer((request) => request.socket.destroy());
    expectFault(await ask(site.port, '/-/readyz'), 502, 'ERR_BACKEND_UNAVAILABLE');
    site.receiver.answer((_, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('half', () => response.destroy());
    });
    await assert.rejects(ask(site.port, '/-/readyz'), /aborted|socket hang up|ECONNRESET/);
  });
});

it('every error code in the Lua files is in the table of codes, with the same status where it has one', () => {
  const files = globSync('lighttpd/*.lua', { cwd: root });
  const texts = files.map((name) => readFileSync(join(root, name), 'utf8')).join('\n');
  const pairs = [...texts.matchAll(/fail\((\d{3}), "(ERR_\w+)"|(?<=\[)(\d{3})\] = \{ "(ERR_\w+)"/g)];
  assert.ok(pairs.length > 10);
  for (const code of new Set(texts.match(/ERR_[A-Z_]+/g))) assert.ok(policyOf(code as ErrorCode), code);
  for (const [, status, code] of pairs) {
    if (status !== undefined) assert.equal(policyOf(code as ErrorCode).status, Number(status), code);
  }
});
