/** bin/node in a project of its own, with an npm that only notes that it was asked. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findCommand } from '../../src/programs.ts';
import { nodeFlags } from '../../src/supervise/plan.ts';
import { type Ran, root, run, temporaryFolder } from './scene.ts';

interface Project {
  readonly folder: string;
  /** Where the fakes are. */
  readonly tools: string;
  readonly launcher: string;
  readonly launch: (...args: string[]) => Promise<Ran>;
  readonly installs: () => number;
}

const needed = ['sh', 'dirname', 'readlink', 'find', 'cmp', 'cp', 'flock', 'uname', 'sleep', 'mkdir', 'cat', 'chmod'];

function makeProject(t: TestContext): Project {
  const folder = temporaryFolder(t);
  const tools = join(folder, 'tools');
  mkdirSync(tools);
  mkdirSync(join(folder, 'bin'));
  cpSync(join(root, 'bin', 'node'), join(folder, 'bin', 'node'));
  writeFileSync(join(folder, 'package-lock.json'), '{"one":1}');
  for (const name of needed) symlinkSync(findCommand([name], process.env.PATH ?? '') ?? '', join(tools, name));
  const log = join(folder, 'npm.log');
  writeFileSync(log, '');
  // As npm does: the packages first, the note of what they are last.
  fake(
    tools,
    'npm',
    `echo "$@" >>${log}; sleep 0.2; mkdir -p node_modules/.bin; echo installed
printf '#!/bin/sh\\necho "pinned: $*"\\n' >node_modules/.bin/node
chmod 755 node_modules/.bin/node; cat package-lock.json >node_modules/.package-lock.json`,
  );
  const launcher = join(folder, 'bin', 'node');
  return {
    folder,
    tools,
    launcher,
    launch: (...args) => run(launcher, args, { PATH: tools }),
    installs: () => readFileSync(log, 'utf8').split('\n').length - 1,
  };
}

function fake(tools: string, name: string, script: string): void {
  writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(tools, name), 0o755);
}

test('packages that are a link to another folder are used as they are, and never installed over', async (t) => {
  const { folder, launch, installs } = makeProject(t);
  const other = temporaryFolder(t);
  writeFileSync(join(other, 'kept'), '');
  symlinkSync(other, join(folder, 'node_modules'));
  const refused = await launch('x.ts');
  assert.deepEqual([refused.code, refused.out, installs()], [78, '', 0]);
  assert.match(refused.err, /node_modules is a link to .*Run: rm /);
  assert.ok(existsSync(join(other, 'kept')));

  const { folder: whole, launch: launchWhole } = makeProject(t);
  await launchWhole('x.ts');
  renameSync(join(whole, 'node_modules'), join(other, 'packages'));
  symlinkSync(join(other, 'packages'), join(whole, 'node_modules'));
  assert.equal((await launchWhole('x.ts')).code, 0);
});

test('the first start installs, says so on stderr alone, and runs the script with the pinned Node', async (t) => {
  const { launch, installs } = makeProject(t);
  const first = await launch('demo/main.ts', '--once', 'a b');
  assert.equal(first.code, 0);
  assert.equal(first.out, 'pinned: --disable-warning=ExperimentalWarning demo/main.ts --once a b\n');
  assert.match(first.err, /^kitemirror: installing the packages/);
  const second = await launch('x.ts');
  assert.deepEqual([second.code, second.err, installs()], [0, '', 1]);
});

test('of two starts at once one installs and the other waits for it', async (t) => {
  const { launch, installs } = makeProject(t);
  const both = await Promise.all([launch('a.ts'), launch('b.ts')]);
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  );
  assert.equal(installs(), 1);
});

test('another package-lock.json installs again, the same one with a newer date does not', async (t) => {
  const { folder, launch, installs } = makeProject(t);
  const lock = join(folder, 'package-lock.json');
  await launch('a.ts');
  const later = new Date(Date.now() + 10_000);
  utimesSync(lock, later, later);
  await launch('a.ts');
  assert.equal(installs(), 1);
  writeFileSync(lock, '{"two":2}');
  utimesSync(lock, later, later);
  const { err } = await launch('a.ts');
  assert.equal(installs(), 2);
  assert.match(err, /they have changed/);
});

test('it works from any folder and through a link', async (t) => {
  const { folder, tools, launcher } = makeProject(t);
  const link = join(folder, 'link');
  symlinkSync(launcher, link);
  const { code, out } = await run('/bin/sh', ['-c', 'cd / && exec "$0" a.ts', link], { PATH: tools });
  assert.deepEqual([code, out], [0, 'pinned: --disable-warning=ExperimentalWarning a.ts\n']);
});

test('an npm that fails, and none at all, end with 78 and what to do', async (t) => {
  const { tools, launch } = makeProject(t);
  fake(tools, 'npm', 'echo "npm error: no network" >&2; exit 1');
  const failed = await launch('a.ts');
  assert.equal(failed.code, 78);
  assert.match(failed.err, /no network[^]*run: \(cd '.*' && npm ci\)/);
  chmodSync(join(tools, 'npm'), 0o644);
  const none = await launch('a.ts');
  assert.equal(none.code, 78);
  assert.match(none.err, /npm is missing. Run: sudo apt-get install -y nodejs npm/);
});

test("where Node is not pinned for the platform, the machine's own is taken if it is new enough", async (t) => {
  const { tools, launch } = makeProject(t);
  fake(tools, 'npm', 'mkdir -p node_modules; cat package-lock.json >node_modules/.package-lock.json');
  const none = await launch('a.ts');
  assert.equal(none.code, 78);
  assert.match(none.err, /own is missing\. Install Node 24 or newer/);
  fake(tools, 'node', 'if [ "$1" = -p ]; then echo 20; else echo "own: $*"; fi');
  const old = await launch('a.ts');
  assert.equal(old.code, 78);
  assert.match(old.err, /own is 20\. Install Node 24 or newer/);
  fake(tools, 'node', 'if [ "$1" = -p ]; then echo 24; else echo "own: $*"; fi');
  const own = await launch('a.ts');
  assert.deepEqual([own.code, own.out], [0, 'own: --disable-warning=ExperimentalWarning a.ts\n']);
});

test('a worker by itself has the flags that a supervised one has', () => {
  const line = readFileSync(join(root, 'bin', 'kitemirror'), 'utf8')
    .split('\n')
    .find((each) => each.includes('workers/main.ts'));
  for (const flag of nodeFlags.worker ?? []) assert.ok(line?.includes(` ${flag} `), `${flag} is not in: ${line}`);
});
