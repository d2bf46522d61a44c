/** Programs that are missing: an apt of the test's own stands in for the machine's. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findCommand, lighttpdNeed, type ProgramNeed, redisNeed } from '../../src/programs.ts';
import { ensurePrograms, type InstallHost } from '../../src/supervise/install.ts';
import { root, temporaryFolder } from './scene.ts';

const need: ProgramNeed = {
  name: 'kite-tool',
  commands: ['kite-tool', 'kite-tool-2'],
  packages: [['kite-new', 'kite-old'], ['kite-module']],
};
const isRoot = process.getuid?.() === 0;

/** A machine whose apt offers `kite-old` and `kite-module`, and fails `failures` times before it installs. */
function makeMachine(t: TestContext, failures = 0): { host: InstallHost; said: string[]; log: string; tools: string } {
  const tools = join(temporaryFolder(t), 'tools');
  mkdirSync(tools);
  const log = join(tools, 'log');
  const said: string[] = [];
  fake(
    tools,
    'apt-cache',
    'case $2 in kite-old|kite-module) echo "  Candidate: 1";; *) echo "  Candidate: (none)";; esac',
  );
  fake(
    tools,
    'apt-get',
    `echo "$*" >>${log}
case " $* " in *" update"*) exit 0;; esac
[ -e /usr/sbin/policy-rc.d ] && echo held >>${log}
if [ "$(grep -c install ${log})" -le ${failures} ]; then echo "E: 404 Not Found"; exit 100; fi
echo "Setting up kite-old (1) ..."; cp /bin/true ${tools}/kite-tool`,
  );
  const host = {
    root,
    env: { PATH: `${tools}:${process.env.PATH}` },
    isRoot: true,
    say: (line: string) => said.push(line),
  };
  return { host, said, log, tools };
}

function fake(tools: string, name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(tools, name), 0o755);
}

test('programs that are there are found, and nothing is said', async () => {
  const said: string[] = [];
  const host = { root, env: process.env, isRoot: false, say: (line: string) => said.push(line) };
  const found = await ensurePrograms([redisNeed, lighttpdNeed], host);
  assert.match(found.get('redis-server') ?? '', /^\/.*\/(redis|valkey)-server$/);
  assert.match(found.get('lighttpd') ?? '', /^\/.*\/lighttpd$/);
  assert.deepEqual(said, []);
});

test('a program in a folder of servers is found though it is not on PATH', () => {
  assert.equal(findCommand(['lighttpd'], '/nowhere'), findCommand(['lighttpd'], process.env.PATH ?? ''));
  assert.equal(findCommand(['no-such-program'], process.env.PATH ?? ''), null);
});

test('a file that is not executable, a folder, and a relative PATH are not programs', (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'kite-a'));
  writeFileSync(join(folder, 'kite-b'), '');
  symlinkSync(join(folder, 'nothing'), join(folder, 'kite-c'));
  assert.equal(findCommand(['kite-a', 'kite-b', 'kite-c'], `.:${folder}`), null);
});

test('without root a missing program is refused with the exact line to run', async (t) => {
  const { host } = makeMachine(t);
  await assert.rejects(ensurePrograms([need], { ...host, isRoot: false }), (error: Error) => {
    assert.match(
      error.message,
      /^kite-tool: not on this machine\. Run: (sudo apt-get update && )?sudo apt-get install -y kite-old kite-module$/,
    );
    return 'code' in error && error.code === 'ERR_PROGRAM_MISSING';
  });
});

test('a command whose module is missing counts as missing', async (t) => {
  const { host, tools } = makeMachine(t);
  fake(tools, 'kite-tool', 'exit 3');
  const probed = { ...need, probe: { args: ['--check'], input: 'anything' } };
  await assert.rejects(ensurePrograms([probed], { ...host, isRoot: false }), /not on this machine/);
});

test('root installs it, announced, with services held', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const { host, said, log } = makeMachine(t);
  const hadPolicy = existsSync('/usr/sbin/policy-rc.d');
  const found = await ensurePrograms([need], host);
  assert.match(found.get('kite-tool') ?? '', /tools\/kite-tool$/);
  assert.deepEqual(said, ['kite-tool: not on this machine; installing']);
  const calls = readFileSync(log, 'utf8').split('\n');
  assert.match(calls.find((call) => call.startsWith('install')) ?? '', / kite-old kite-module$/);
  assert.ok(calls.includes('held'));
  assert.equal(existsSync('/usr/sbin/policy-rc.d'), hadPolicy);
});

test('an apt that fails is tried once more with fresh lists', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const { host, log } = makeMachine(t, 1);
  await ensurePrograms([need], host);
  const calls = readFileSync(log, 'utf8')
    .split('\n')
    .map((call) => /install|update/.exec(call)?.[0]);
  assert.deepEqual(calls.filter((call) => call !== undefined).slice(-3), ['install', 'update', 'install']);
});

test('an apt that goes on failing is an error', { skip: isRoot ? false : 'needs root' }, async (t) => {
  const { host } = makeMachine(t, 9);
  await assert.rejects(ensurePrograms([need], host), /apt did not install/);
});
