/** `npm start` as a process of its own: what it prints, how it ends, and what is left when it is killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { familyOf, isAlive, later, root, run, stackEnv, temporaryFolder, until } from './scene.ts';

const launcher = join(root, 'bin', 'node');
const script = join(root, 'src', 'start.ts');

interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly lines: string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Resolves once it says that it is ready. */
async function start(t: TestContext): Promise<Started> {
  const env = await stackEnv(join(temporaryFolder(t), 'data'), { KITEMIRROR_LOG_LEVEL: 'debug' });
  const child = spawn(launcher, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = (once(child, 'exit') as Promise<[number | null]>).then(([code]) => code);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  later(t, async () => {
    child.kill('SIGTERM');
    await ended;
  });
  await until('it is ready', () => lines.some((line) => line.includes('"msg":"ready: ')));
  return { process: child, ended, lines, env };
}

test('faults of the settings are one list on stderr, exit 78, before anything starts', async (t) => {
  const env = await stackEnv(join(temporaryFolder(t), 'data'), {
    BUILDKITE_ORGANIZATION: 'not a slug',
    BUILDKITE_API_TOKEN: undefined,
    KITEMIRROR_LISTEN: 'nowhere',
    KITEMIRROR_LISTENS: '1',
    KITEMIRROR_SERVICE_HOST: 'from Kubernetes',
  });
  const { code, out, err } = await run(launcher, [script], env);
  assert.equal(code, 78);
  assert.equal(out, '');
  assert.match(err, /^start: 4 faults in the configuration:\n/);
  for (const name of ['BUILDKITE_ORGANIZATION', 'BUILDKITE_API_TOKEN', 'KITEMIRROR_LISTEN ', 'KITEMIRROR_LISTENS']) {
    assert.match(err, new RegExp(`^  - ${name}`, 'm'));
  }
});

test('an option that does not exist is told with the usage, exit 64', async (t) => {
  const { code, err } = await run(launcher, [script, '--jsonn'], await stackEnv(temporaryFolder(t)));
  assert.equal(code, 64);
  assert.match(err, /--jsonn[^]*Usage: npm start/);
});

test('it prints JSON lines when nobody watches, serves, and ends in order with 0', async (t) => {
  const { process: child, ended, lines, env } = await start(t);
  assert.ok(lines.some((line) => line.includes('open: no identity is set up')));
  const response = await fetch(`${env.KITEMIRROR_URL}/-/healthz`);
  assert.equal(response.status, 200);
  await response.arrayBuffer();
  const family = familyOf(child.pid ?? 0);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.deepEqual(family.filter(isAlive), []);
  const entries = lines.map((line) => JSON.parse(line) as { program: string; msg: string });
  assert.deepEqual([...new Set(entries.map(({ program }) => program))].toSorted(), [
    'gateway',
    'lighttpd',
    'receiver',
    'redis',
    'start',
    'worker',
  ]);
  assert.equal(entries.at(-1)?.msg, 'ended');
  assert.doesNotMatch(lines.join('\n'), /of-this-test/);
});

test('when it is killed outright, all that it started ends by itself', async (t) => {
  const { process: child } = await start(t);
  const family = familyOf(child.pid ?? 0);
  // redis, receiver, gateway, worker, the wrapper of Lighttpd, Lighttpd and its workers
  assert.ok(family.length >= 8, `only ${family.length} processes`);
  const commands = new Map(
    family.map((pid) => [pid, readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]),
  );
  child.kill('SIGKILL');
  // Redis goes at once, and who needs it to end in order waits a few seconds for it (src/stop.ts).
  const left = (): string[] => family.filter(isAlive).map((pid) => commands.get(pid) ?? '');
  await until('all have ended', () => left().length === 0, 20_000).catch((thrown: unknown) => {
    throw new Error(`still there: ${left().join(', ')}`, { cause: thrown });
  });
});

test('a second signal ends it at once', async (t) => {
  const { process: child, ended } = await start(t);
  const family = familyOf(child.pid ?? 0);
  child.kill('SIGINT');
  child.kill('SIGTERM');
  assert.equal(await ended, 130);
  await until('all have ended', () => family.every((pid) => !isAlive(pid)));
});
