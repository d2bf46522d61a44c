import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Ran, root, run } from './scene.ts';

const env = { PATH: process.env.PATH, HOME: process.env.HOME };

async function kitemirror(...args: string[]): Promise<Ran> {
  return run(join(root, 'bin', 'kitemirror'), args, env);
}

async function commands(): Promise<string[]> {
  const { out } = await kitemirror('--help');
  return [...out.matchAll(/^ {2}(\S+) /gm)].map((match) => match[1] ?? '');
}

test('--help lists every command, and each has help of its own', async () => {
  const names = await commands();
  assert.ok(names.length >= 5);
  for (const name of names) {
    const { code, out } = await kitemirror(name, '--help');
    assert.deepEqual([code, out.split('\n')[0]?.startsWith(`Usage: kitemirror ${name}`)], [0, true], name);
    assert.match(out, /exit 0/, name);
  }
});

test('--version tells the version of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { code, out } = await kitemirror('--version');
  assert.deepEqual([code, out], [0, `kitemirror ${version}\n`]);
});

test('no command, and one that does not exist, end with 64 and the list', async () => {
  for (const args of [[], ['backfil'], ['-x'], ['constructor']]) {
    const { code, out, err } = await kitemirror(...args);
    assert.deepEqual([code, out], [64, ''], args.join(' '));
    for (const name of await commands()) assert.match(err, new RegExp(`^  ${name} `, 'm'));
  }
});

test('an option and a word that a command does not take are named, with its usage', async () => {
  for (const word of ['--chekc', 'word']) {
    const { code, out, err } = await kitemirror('portal', word);
    assert.deepEqual([code, out], [64, '']);
    assert.match(err, new RegExp(`^kitemirror portal: .*${word}.*\\nUsage: kitemirror portal`));
  }
});

test('each program runs in place of the launcher and refuses an empty environment with 78', async () => {
  const programs = ['start', 'receiver', 'gateway', 'worker', 'lighttpd'];
  const outcomes = await Promise.all(programs.map(async (name) => ({ name, ran: await kitemirror(name) })));
  for (const { name, ran } of outcomes) {
    assert.equal(ran.code, 78, name);
    assert.match(ran.out + ran.err, /BUILDKITE_ORGANIZATION is required/, name);
  }
});
