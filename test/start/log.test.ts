/** What a program's log does to the program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { root } from './scene.ts';

const script = `
  const { createLog } = await import(${JSON.stringify(join(root, 'src', 'log.ts'))});
  const log = createLog('test', 'info');
  process.stdin.on('end', () => {
    log.info('first');
    log.info('second');
    process.exit(3);
  }).resume();
  log.info('begun');
`;

test('a program whose reader is gone ends all the same', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(20_000) }).finally(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  child.stdin.end();
  assert.deepEqual(await ended, [3, null]);
});

const chatty = `
  const { createLog } = await import(${JSON.stringify(join(root, 'src', 'log.ts'))});
  const log = createLog('test', 'info');
  for (let line = 0; line < 20_000; line += 1) log.info({ line }, 'of those that nobody reads');
  setTimeout(() => process.stderr.write('alive'), 300);
`;

test('a program whose reader stalls goes on all the same, and loses no line when it reads again', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', chatty], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close', { signal: AbortSignal.timeout(20_000) }).finally(() => child.kill('SIGKILL'));
  const [said] = (await once(child.stderr, 'data', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
  assert.equal(said.toString(), 'alive');
  const lines = (await text(child.stdout)).trimEnd().split('\n');
  await closed;
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { line: number }).line),
    Array.from({ length: 20_000 }, (_, line) => line),
  );
});

const onFullDevice = `
  const { createLog } = await import(${JSON.stringify(join(root, 'src', 'log.ts'))});
  const log = createLog('test', 'info');
  log.info('first');
  setTimeout(() => {
    log.info('second');
    setTimeout(() => process.exit(3), 100);
  }, 100);
`;

test('a program whose log finds no room goes on, and ends as it means to', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  const child = spawn(process.execPath, ['--input-type=module', '--eval', onFullDevice], {
    stdio: ['ignore', full, 'inherit'],
  });
  assert.deepEqual(await once(child, 'exit', { signal: AbortSignal.timeout(20_000) }), [3, null]);
});
