/** What a program's log does to the program. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
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
