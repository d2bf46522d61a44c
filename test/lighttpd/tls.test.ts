/** TLS as clients meet it: the real Lighttpd, certificates made by openssl, renewal while files are read. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { dataPaths } from '../../src/tree/paths.ts';
import { kitemirror } from '../commands/scene.ts';
import { type Answer, ask } from './ask.ts';
import { makeCertificate, shown } from './certificates.ts';
import { freePort, openJob, place, put, settings, spawnLighttpd } from './site.ts';
import { until } from './until.ts';

const data = mkdtempSync(join(tmpdir(), 'kitemirror-tls-'));
const [cert, key] = [join(data, 'cert.pem'), join(data, 'key.pem')];
const paths = dataPaths(data);
const file = `/acme/web/builds/42/jobs/${openJob}/artifacts/big.bin`;
let port: number;
let env: Record<string, string>;
let front: ReturnType<typeof spawnLighttpd>;

function install(name: string): void {
  copyFileSync(join(data, `${name}.pem`), cert);
  copyFileSync(join(data, `${name}.key`), key);
}

async function get(path: string): Promise<Answer> {
  return ask(port, path, {
    tls: { ca: [readFileSync(join(data, 'first.pem')), readFileSync(join(data, 'second.pem'))] },
  });
}

before(async () => {
  for (const name of ['first', 'second']) makeCertificate(data, name);
  install('first');
  port = await freePort();
  env = settings(data, port, {
    KITEMIRROR_URL: `https://127.0.0.1:${port}`,
    KITEMIRROR_TLS_CERT: cert,
    KITEMIRROR_TLS_KEY: key,
  }) as Record<string, string>;
  put(paths, paths.jobFile(place, openJob, 'artifacts/big.bin'), Buffer.alloc(64 * 1024 * 1024, 'x'));
  front = spawnLighttpd(env);
  await until('lighttpd answers', async () => {
    if (front.child.exitCode !== null) throw new Error(front.said());
    return (await get('/-/healthz').catch(() => null))?.status === 200;
  });
});
after(async () => {
  const ended = once(front.child, 'exit');
  front.child.kill('SIGTERM');
  await ended;
  rmSync(data, { recursive: true, force: true });
});

describe('with a certificate', () => {
  it('TLS 1.2 and 1.3 are spoken, nothing older, and no plain HTTP', async () => {
    assert.equal((await shown(port)).protocol, 'TLSv1.3');
    assert.equal((await shown(port, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    await assert.rejects(shown(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }));
    const plain = await ask(port, '/-/healthz').catch(() => null);
    assert.ok(plain === null || plain.status === 400);
  });

  it('every answer tells browsers to come by https alone', async () => {
    for (const path of ['/-/healthz', file, '/nothing/here', '/refused/../unread'])
      assert.equal((await get(path)).headers['strict-transport-security'], 'max-age=31536000', path);
  });

  it('a renewal whose key is another one’s is refused, and the running Lighttpd is not told', async () => {
    copyFileSync(join(data, 'second.pem'), cert);
    const { code, err } = await kitemirror(['reload'], env);
    assert.equal(code, 78, err);
    assert.match(err, /lighttpd refuses its configuration/);
    writeFileSync(cert, 'no certificate');
    assert.equal((await kitemirror(['reload'], env)).code, 78);
    assert.equal((await shown(port)).name, 'first');
    install('first');
  });

  it('a renewal is shown after `kitemirror reload`; no request fails and no download is cut meanwhile', async () => {
    install('second');
    // Far more than the sockets hold, and not read before the reload is done.
    const begun = request({ host: '127.0.0.1', port, path: file, agent: false, rejectUnauthorized: false }).end();
    const [download] = (await once(begun, 'response')) as [IncomingMessage];
    const isOver = { yet: false };
    const asking = (async (): Promise<number> => {
      let count = 0;
      for (; !isOver.yet; count += 1) assert.equal((await get('/-/healthz')).status, 200);
      return count;
    })();
    const { code, out, err } = await kitemirror(['reload', '--json'], env);
    isOver.yet = true;
    assert.equal(code, 0, `${err}${front.said()}`);
    assert.ok((await asking) > 0);
    assert.equal((await buffer(download)).length, 64 * 1024 * 1024);
    assert.equal((await shown(port)).name, 'second');
    const { expires_at: expires } = JSON.parse(out) as { expires_at: string };
    assert.equal(expires, new X509Certificate(readFileSync(cert)).validToDate.toISOString());
    assert.equal(front.child.exitCode, null);
  });
});

describe('settings of TLS', () => {
  it('that do not go together are refused, each by name', async () => {
    const { code, err } = await kitemirror(['reload'], {
      ...env,
      KITEMIRROR_TLS_KEY: '',
      KITEMIRROR_URL: 'http://127.0.0.1:1',
    });
    assert.equal(code, 78);
    assert.match(err, /KITEMIRROR_TLS_KEY is required beside KITEMIRROR_TLS_CERT/);
    assert.match(err, /speaks https alone/);
  });
});
