import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Child, startChild } from '../../src/supervise/child.ts';
import { isAlive, later, until } from './scene.ts';

interface Watched {
  readonly child: Child;
  readonly lines: string[];
  readonly deaths: [how: string, nextInMs: number | null][];
  readonly killed: () => boolean;
}

function watch(t: TestContext, script: string, stopWithinMs = 5000): Watched {
  const lines: string[] = [];
  const deaths: [string, number | null][] = [];
  let killed = false;
  const child = startChild(
    { name: 'test', command: process.execPath, args: ['-e', script], env: { PATH: process.env.PATH }, stopWithinMs },
    {
      line: (line) => lines.push(line),
      died: (how, nextInMs) => deaths.push([how, nextInMs]),
      killed: () => (killed = true),
    },
  );
  later(t, () => child.kill());
  return { child, lines, deaths, killed: () => killed };
}

test('a child that dies is started again, after longer and longer pauses', async (t) => {
  const { child, deaths } = watch(t, 'process.exit(3)');
  await until('it died twice', () => deaths.length === 2);
  assert.deepEqual(deaths, [
    ['exit 3', 500],
    ['exit 3', 1000],
  ]);
  assert.equal(child.starts(), 2);
});

test('a child that was killed by a signal says so', async (t) => {
  const { deaths } = watch(t, 'process.kill(process.pid, "SIGKILL")');
  await until('it died', () => deaths.length === 1);
  assert.equal(deaths[0]?.[0], 'killed by SIGKILL');
});

test('a child that cannot run as it is configured (exit 78) is not started again', async (t) => {
  const { child, deaths } = watch(t, 'console.error("the setting X is wrong"); process.exit(78)');
  await until('it died', () => deaths.length === 1);
  assert.deepEqual(deaths, [['exit 78', null]]);
  assert.deepEqual(child.lastLines(), ['the setting X is wrong']);
  await child.stop();
  assert.equal(child.starts(), 1);
});

test('a program that is not there is a death like any other', async (t) => {
  const deaths: string[] = [];
  const spec = { name: 'test', command: '/nowhere/at-all', args: [], env: {}, stopWithinMs: 1000 };
  const child = startChild(spec, { line: () => undefined, died: (how) => deaths.push(how), killed: () => undefined });
  later(t, () => child.kill());
  await until('it died', () => deaths.length === 1);
  assert.match(deaths[0] ?? '', /ENOENT/);
  await child.stop();
});

test('stop asks with SIGTERM and waits for the end', async (t) => {
  const script = `process.on('SIGTERM', () => setTimeout(() => { console.log('done'); process.exit(0) }, 100));
    setInterval(() => {}, 1000); console.log('up')`;
  const { child, lines, deaths, killed } = watch(t, script);
  await until('it is up', () => lines.includes('up'));
  await child.stop();
  assert.deepEqual([lines, deaths, killed()], [['up', 'done'], [], false]);
  assert.equal(child.pid(), undefined);
});

test('who does not end in time is killed, with all that it has started', async (t) => {
  const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
    const { pid } = require('node:child_process').spawn('sleep', ['1000'], { stdio: 'ignore' }); console.log(pid)`;
  const { child, lines, killed } = watch(t, script, 200);
  await until('it is up', () => lines.length === 1);
  await child.stop();
  assert.equal(killed(), true);
  await until('its child has ended', () => !isAlive(Number(lines[0])));
});

test('stop during the pause before the next start ends it for good', async (t) => {
  const { child, deaths } = watch(t, 'process.exit(1)');
  await until('it died', () => deaths.length === 1);
  await child.stop();
  assert.equal(child.starts(), 1);
});

test('a child sees the end of its standard input when we are gone, and no signal of our terminal', async (t) => {
  const script = `console.log(require('node:fs').fstatSync(0).isSocket() || require('node:fs').fstatSync(0).isFIFO(),
    require('node:fs').readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')[2] === String(process.pid))`;
  const { lines } = watch(t, script);
  await until('it has spoken', () => lines.length > 0);
  assert.equal(lines[0], 'true true');
});
