import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findCommand, redisNeed } from '../../src/programs.ts';
import { planRedis } from '../../src/supervise/plan.ts';
import { prepareRedis, probeRedis, redisArguments } from '../../src/supervise/redis.ts';
import { isAlive, later, run, temporaryFolder, until } from './scene.ts';

const command = findCommand(redisNeed.commands, process.env.PATH ?? '') ?? '';

async function startRedis(t: TestContext): Promise<{ socket: string; folder: string; pid: number }> {
  const home = temporaryFolder(t);
  const [socket, folder] = [join(home, 'r.sock'), join(home, 'redis')];
  await prepareRedis(socket, folder, (line) => assert.fail(line));
  const child = spawn(command, redisArguments(socket, folder), { stdio: 'ignore' });
  later(t, () => child.kill('SIGKILL'));
  await until('Redis is ready', async () => (await probeRedis(socket)) === null);
  return { socket, folder, pid: child.pid ?? 0 };
}

test('the private Redis listens on its socket alone, keeps all that it is told, and never evicts', async (t) => {
  const { socket, folder } = await startRedis(t);
  const { out } = await run('redis-cli', ['-s', socket, 'CONFIG', 'GET', '*'], { PATH: process.env.PATH });
  const lines = out.split('\n');
  const setting = (name: string): string | undefined => lines[lines.indexOf(name) + 1];
  assert.equal(setting('port'), '0');
  assert.equal(setting('appendonly'), 'yes');
  assert.equal(setting('appendfsync'), 'everysec');
  assert.equal(setting('save'), '');
  assert.equal(setting('maxmemory-policy'), 'noeviction');
  assert.equal(setting('hash-max-listpack-value'), '1024');
  assert.equal(setting('dir'), folder);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('one that an earlier run left behind is ended first, and what it was told is there afterwards', async (t) => {
  const { socket, folder, pid } = await startRedis(t);
  await run('redis-cli', ['-s', socket, 'SET', 'kept', 'yes'], { PATH: process.env.PATH });
  const said: string[] = [];
  await prepareRedis(socket, folder, (line) => said.push(line));
  assert.equal(said.length, 1);
  await until('the old one has ended', () => !isAlive(pid));
  const next = spawn(command, redisArguments(socket, folder), { stdio: 'ignore' });
  later(t, () => next.kill('SIGKILL'));
  await until('Redis is ready', async () => (await probeRedis(socket)) === null);
  const { out } = await run('redis-cli', ['-s', socket, 'GET', 'kept'], { PATH: process.env.PATH });
  assert.equal(out.trim(), 'yes');
});

test('one that is not there is not ready, and says where', async (t) => {
  const socket = join(temporaryFolder(t), 'r.sock');
  assert.equal(await probeRedis(socket), `does not answer on ${socket}`);
});

test('it ends with the process that started it, however that ends', async (t) => {
  const home = temporaryFolder(t);
  const setpriv = findCommand(['setpriv'], process.env.PATH ?? '');
  if (setpriv === null) return t.skip('no setpriv here');
  const { spec } = planRedis(command, join(home, 'r.sock'), home, setpriv);
  const script = `const { spawn } = require('node:child_process');
    const child = spawn(${JSON.stringify(spec.command)}, ${JSON.stringify(spec.args)}, { stdio: 'ignore', detached: true });
    console.log(child.pid); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
  await until('Redis is ready', async () => (await probeRedis(join(home, 'r.sock'))) === null);
  parent.kill('SIGKILL');
  await until('Redis has ended', () => !isAlive(Number(pid.toString())));
});
