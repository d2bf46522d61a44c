import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { findCommand } from '../../src/programs.ts';
import { ask } from './ask.ts';
import { build, freePort, openJob, place, put, type Site, settings, spawnLighttpd, startSite } from './site.ts';
import { until } from './until.ts';

const system = '/usr/local/bin:/usr/bin:/bin';

async function start(t: TestContext): Promise<Site> {
  const site = await startSite();
  t.after(() => site.close());
  return site;
}

async function isFree(port: number): Promise<boolean> {
  return ask(port, '/-/healthz').then(
    () => false,
    () => true,
  );
}

/** The first process of Lighttpd, and its workers. */
function processes(site: Site): { first: number; workers: number[] } {
  const first = Number(readFileSync(join(site.paths.root, 'run', 'lighttpd.pid'), 'utf8'));
  const workers = readFileSync(`/proc/${first}/task/${first}/children`, 'utf8').trim().split(' ').map(Number);
  return { first, workers };
}

/** One that has ended may still be on the list of processes until its parent looks. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** How a program that cannot start says so. */
async function refusal(env: NodeJS.ProcessEnv): Promise<{ code: number; said: string }> {
  const { child, said } = spawnLighttpd(env);
  const [code] = (await once(child, 'close')) as [number];
  return { code, said: said() };
}

describe('the program', () => {
  it('ends at once on SIGTERM, also with clients that keep their connections, and leaves nothing behind', async (t) => {
    const site = await start(t);
    const agent = new Agent({ keepAlive: true });
    const [idle] = (await once(get({ port: site.port, path: '/-/healthz', agent }), 'response')) as [IncomingMessage];
    await idle.resume().toArray();
    const { first, workers } = processes(site);
    assert.ok(workers.length >= 2);
    const startedAt = Date.now();
    site.child.kill('SIGTERM');
    const [code] = (await once(site.child, 'exit')) as [number];
    agent.destroy();
    assert.equal(code, 0);
    assert.ok(Date.now() - startedAt < 5000, `${Date.now() - startedAt} ms`);
    assert.ok(await isFree(site.port));
    await until('no process is left', () => [first, ...workers].every((pid) => !isAlive(pid)));
  });

  it('lets a download that runs end first', async (t) => {
    const site = await start(t);
    const size = 32 * 1024 * 1024;
    const file = site.paths.jobFile(place, openJob, 'artifacts/large.bin');
    put(site.paths, file, 'x');
    truncateSync(file, size);
    const path = `${build}/jobs/${openJob}/artifacts/large.bin`;
    const [download] = (await once(get({ port: site.port, path }), 'response')) as [IncomingMessage];
    site.child.kill('SIGTERM');
    await until('nobody is let in any more', () => isFree(site.port));
    let bytes = 0;
    for await (const chunk of download) bytes += (chunk as Buffer).length;
    assert.equal(bytes, size);
    if (site.child.exitCode === null) await once(site.child, 'exit');
    assert.equal(site.child.exitCode, 0);
  });

  it('ends when its supervisor goes away', async (t) => {
    const site = await start(t);
    site.child.stdin?.end();
    await once(site.child, 'exit');
    assert.equal(site.child.exitCode, 0);
    assert.ok(await isFree(site.port));
  });

  it('takes Lighttpd with it when it is killed', { skip: findCommand(['setpriv'], system) === null }, async (t) => {
    const site = await start(t);
    site.child.kill('SIGKILL');
    await until('the port is free', () => isFree(site.port), 5000);
  });

  it('ends with an error when Lighttpd is killed, so that both can be started again', async (t) => {
    const site = await start(t);
    process.kill(processes(site).first, 'SIGKILL');
    await once(site.child, 'exit');
    assert.equal(site.child.exitCode, 1);
    assert.match(site.said(), /ended by itself/);
    assert.ok(await isFree(site.port));
  });

  it('goes on when a worker is killed: another takes its place', async (t) => {
    const site = await start(t);
    const before = processes(site).workers;
    process.kill(before[0] ?? 0, 'SIGKILL');
    await until('there is another', () => {
      const { workers } = processes(site);
      return workers.length === before.length && !workers.includes(before[0] ?? 0);
    });
    assert.equal((await ask(site.port, '/-/healthz')).status, 200);
  });

  it('has the descriptors that the machine allows, in every worker', async (t) => {
    const site = await start(t);
    const limit = (file: string): string[] =>
      /^Max open files +(\S+) +(\S+)/m.exec(readFileSync(file, 'utf8'))?.slice(1) ?? [];
    const [, hard = ''] = limit('/proc/self/limits');
    const wanted = String(Math.min(hard === 'unlimited' ? 65_535 : Number(hard), 65_535));
    for (const pid of processes(site).workers) assert.equal(limit(`/proc/${pid}/limits`)[0], wanted);
  });

  it('says what Lighttpd says as lines of our log', async (t) => {
    const site = await start(t);
    await until('it speaks', () => site.said().includes('server started'));
    for (const line of site.said().trim().split('\n')) {
      const { level, program, msg } = JSON.parse(line) as Record<string, string>;
      assert.deepEqual([level, program, typeof msg], ['info', 'lighttpd', 'string']);
    }
  });
});

describe('what it cannot start with', () => {
  const data = (t: TestContext, name = 'data'): string => {
    const folder = mkdtempSync(join(tmpdir(), 'kitemirror-start-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return join(folder, name);
  };

  it('is told with the line that mends it: no Lighttpd, or no Lua in it', async (t) => {
    const folder = data(t, 'bin');
    mkdirSync(folder, { recursive: true });
    // A name that is looked for before the system's own, and says what a Lighttpd without the module says.
    const script = `#!/bin/sh
case $1 in -v) echo 'lighttpd/1.4.69 (ssl)';; *) echo 'dlopen() failed for: /usr/lib/lighttpd/mod_magnet.so' >&2; exit 255;; esac\n`;
    writeFileSync(join(folder, 'lighttpd'), script, { mode: 0o755 });
    const { code, said } = await refusal(settings(data(t), await freePort(), { PATH: `${folder}:${system}` }));
    assert.equal(code, 78);
    assert.match(said, /ERR_PROGRAM_MISSING.*Run: apt-get install -y lighttpd lighttpd-modules-lua"/);
  });

  it('is one list of faults of the settings, or a name that cannot be', async (t) => {
    const wrong = await refusal({ PATH: system, KITEMIRROR_LISTEN: 'nowhere' });
    assert.equal(wrong.code, 78);
    assert.match(wrong.said, /2 faults.*KITEMIRROR_LISTEN is not host:port.*BUILDKITE_ORGANIZATION is required/s);
    const control = await refusal(settings(data(t, 'a\nb'), await freePort()));
    assert.deepEqual([control.code, /control character/.test(control.said)], [78, true]);
  });

  it('is a port that is taken', async (t) => {
    const site = await start(t);
    const { code, said } = await refusal(settings(data(t), site.port));
    assert.notEqual(code, 0);
    assert.match(said, /in use/);
  });
});

it('runs from a folder whose name needs every kind of quoting', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-"quoted" $HOME %s \'x\' \\ (é)'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const { child, said } = spawnLighttpd(settings(folder, port));
  t.after(() => child.kill('SIGTERM'));
  await until('it answers', async () => {
    assert.equal(child.exitCode, null, said());
    return !(await isFree(port));
  });
  mkdirSync(join(folder, 'tree', 'acme', 'web', 'builds', '1'), { recursive: true });
  writeFileSync(join(folder, 'tree', 'acme', 'web', 'builds', '1', 'build.json'), '{}');
  assert.equal((await ask(port, '/acme/web/builds/1/build.json')).text, '{}');
});
