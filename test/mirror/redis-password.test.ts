/** Another password of the real Redis: who is connected goes on, who lost its connection comes back with what the file says now. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { pino } from 'pino';
import { Secret } from '../../src/config/secret.ts';
import { openQueue } from '../../src/queue/queue.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { type Processors, runTasks } from '../../src/queue/run.ts';
import { tasks } from '../../src/queue/tasks.ts';
import { freePort } from '../lighttpd/site.ts';
import { startRedis } from './redis.ts';
import { until } from './until.ts';

const silent = pino({ level: 'silent' });

it('a changed password in REDIS_URL_FILE is used by the next connection, of workers too', {
  timeout: 60_000,
}, async (t) => {
  const [folder, port] = [mkdtempSync(join(tmpdir(), 'kitemirror-')), await freePort()];
  const redis = await startRedis(folder, ['--bind', '127.0.0.1', '--port', String(port)]);
  await redis.client.config('SET', 'requirepass', 'before');
  const file = join(folder, 'url');
  writeFileSync(file, `redis://:before@127.0.0.1:${port}\n`);
  const secret = new Secret({ file });
  const url = (): string => secret.reveal();

  const queue = openQueue(url, silent);
  const connection = connectRedis(url, 'worker', silent);
  let done = 0;
  const count = async (): Promise<undefined> => void (done += 1);
  const runner = runTasks({
    redis: connection,
    log: silent,
    concurrency: { live: 1, bulk: 1 },
    processors: Object.fromEntries(Object.keys(tasks).map((name) => [name, count])) as unknown as Processors,
    onDone: () => undefined,
    onFailure: () => undefined,
  });
  t.after(async () => {
    // Who could not come back may come now, and can be ended.
    await redis.client.config('SET', 'requirepass', '');
    await runner.stop(0);
    await queue.close();
    connection.disconnect();
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve) => queue.onReady(resolve));
  await queue.enqueue({ name: 'drop', payload: {} });
  await until(() => done === 1, 'the first task is done');

  const next = 'a/new?pass word%';
  await redis.client.config('SET', 'requirepass', next);
  writeFileSync(file, `redis://:${encodeURIComponent(next)}@127.0.0.1:${port}\n`);
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until(() => queue.ping(), 'the queue answers');
  await queue.enqueue({ name: 'drop', payload: {} });
  await until(() => done === 2, 'the second task is done');
});
