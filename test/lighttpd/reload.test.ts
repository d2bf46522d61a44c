/** A reload that goes wrong where `lighttpd -tt` sees nothing: the real Lighttpd goes on, or comes back, with what it showed. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test';
import { findCommand } from '../../src/programs.ts';
import { kitemirror } from '../commands/scene.ts';
import { ask } from './ask.ts';
import { makeCertificate, shown } from './certificates.ts';
import { freePort, root, settings, spawnLighttpd } from './site.ts';
import { until } from './until.ts';

const home = mkdtempSync(join(tmpdir(), 'kitemirror-reload-'));
const [cert, key] = [join(home, 'cert.pem'), join(home, 'key.pem')];

function install(name: string): void {
  copyFileSync(join(home, `${name}.pem`), cert);
  copyFileSync(join(home, `${name}.key`), key);
}

before(() => {
  for (const name of ['first', 'second']) makeCertificate(home, name);
});
beforeEach(() => install('first'));
after(() => rmSync(home, { recursive: true, force: true }));

/** A front of its own that shows the first certificate. */
async function startFront(t: TestContext) {
  const [data, port] = [mkdtempSync(join(home, 'data-')), await freePort()];
  const env = settings(data, port, {
    KITEMIRROR_URL: `https://127.0.0.1:${port}`,
    KITEMIRROR_TLS_CERT: cert,
    KITEMIRROR_TLS_KEY: key,
  }) as Record<string, string>;
  const { child, said } = spawnLighttpd(env);
  t.after(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    if (child.exitCode === null) await ended;
  });
  await until('lighttpd answers', async () => {
    if (child.exitCode !== null) throw new Error(said());
    return (await ask(port, '/-/healthz', { tls: { rejectUnauthorized: false } }).catch(() => null))?.status === 200;
  });
  return { data, port, env, child, said };
}

/** The project with another file among those that `lighttpd -tt` does not read. */
function copyWith(name: string, text: string): string {
  const copy = mkdtempSync(join(home, 'copy-'));
  for (const each of ['src', 'lighttpd', 'lighttpd.conf', 'package.json'])
    cpSync(join(root, each), join(copy, each), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(join(copy, 'lighttpd', name), text);
  return copy;
}

async function reloadFrom(copy: string, env: Record<string, string>): Promise<{ code: number | null; err: string }> {
  const words = ['--disable-warning=ExperimentalWarning', join(copy, 'src', 'cli.ts'), 'reload'];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, words, { env, timeout: 60_000 }, (_, _out, err) =>
      resolve({ code: child.exitCode, err }),
    );
  });
}

describe('a reload', { timeout: 120_000 }, () => {
  it('with files that only a request shows to be at fault is refused, and the running Lighttpd is not told', async (t) => {
    const { port, env } = await startFront(t);
    install('second');
    const { code, err } = await reloadFrom(copyWith('gate.lua', 'os.exit(3)\n'), env);
    assert.equal(code, 78, err);
    assert.match(err, /a Lighttpd started to try it .*; the running one was not told/);
    assert.equal((await shown(port)).name, 'first');
  });

  it('that ends the running Lighttpd is rolled back: the certificate before is shown again', async (t) => {
    const { data, port, env, child, said } = await startFront(t);
    // Whoever reloads reads sound files; those that the running one was started with cannot be read by it any more.
    const sound = {
      ...env,
      KITEMIRROR_TLS_CERT: join(home, 'second.pem'),
      KITEMIRROR_TLS_KEY: join(home, 'second.key'),
    };
    writeFileSync(key, 'no key');
    const { code, err } = await kitemirror(['reload'], sound);
    assert.equal(code, 1, err);
    assert.match(err, /was told to reload and ended; rolled back: the certificate before it is shown/);
    assert.match(said(), /the reload is rolled back/);
    assert.equal((await shown(port)).name, 'first');
    assert.equal(child.exitCode, null);
    assert.equal(statSync(join(data, 'run', 'last-good.pem')).mode & 0o777, 0o600);
  });

  it('by another user than Lighttpd’s is refused: it may read what Lighttpd may not', {
    skip: process.getuid?.() === 0 ? false : 'only root can be another user',
  }, async (t) => {
    const [data, port] = [mkdtempSync(join(home, 'data-')), await freePort()];
    const [run, configuration] = [join(data, 'run'), join(data, 'other.conf')];
    mkdirSync(run);
    writeFileSync(configuration, `server.bind = "127.0.0.1"\nserver.port = ${port}\nserver.document-root = "/"\n`);
    for (const folder of [home, data]) chmodSync(folder, 0o755);
    const command = findCommand(['lighttpd'], '/usr/sbin:/usr/local/sbin:/usr/bin') ?? '';
    const other = spawn(command, ['-D', '-f', configuration], { uid: 65_534, stdio: 'ignore' });
    t.after(async () => {
      const ended = once(other, 'exit');
      other.kill('SIGKILL');
      if (other.exitCode === null) await ended;
    });
    await until('it answers', async () => (await ask(port, '/').catch(() => null)) !== null);
    writeFileSync(join(run, 'lighttpd.pid'), `${other.pid}\n`);
    const { code, err } = await kitemirror(['reload'], settings(data, port) as Record<string, string>);
    assert.equal(code, 78, err);
    assert.match(err, /Lighttpd runs as user 65534 and this as user 0.*Run as that user/);
    assert.equal(other.exitCode, null);
    assert.equal(other.signalCode, null);
  });
});
