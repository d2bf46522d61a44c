import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnqueueOptions } from '../../src/queue/queue.ts';
import { identityOf, type Payload, type Task } from '../../src/queue/tasks.ts';
import { createWatch } from '../../src/readers/watching.ts';
import { uuid } from '../pages/samples.ts';

const taskOf = (job: number): Payload<'tail-log'> => ({
  organization: 'acme',
  pipeline: 'web',
  number: 42,
  build: uuid(1),
  pipelineId: uuid(2),
  job: uuid(job),
});

test('of one job, and over all jobs, is asked only so often', async () => {
  const asked: [Task, EnqueueOptions | undefined][] = [];
  let now = 0;
  const watch = createWatch(
    { enqueue: async (...each) => void asked.push([...each, undefined].slice(0, 2) as never) },
    () => now,
  );
  const names = (): string[] => asked.splice(0).map(([task]) => identityOf(task));
  for (let look = 0; look < 100; look += 1) for (const job of [3, 4, 5, 6]) await watch(taskOf(job));
  assert.deepEqual(asked[0]?.[1], { workClass: 'watch' });
  assert.deepEqual(
    names(),
    [3, 4].map((job) => `tail-log/${uuid(1)}/${uuid(job)}`),
  );
  now = 4999;
  await watch(taskOf(5));
  assert.deepEqual(names(), []);
  now = 5000;
  await watch(taskOf(5));
  assert.deepEqual(names(), [`tail-log/${uuid(1)}/${uuid(5)}`]);
});
