/** What a second look at a log costs: a request, whatever it finds, and for a large log its bytes only where there are more. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { SampleBuild } from '../../demo/standin/sample.ts';
import { type Mirror, startMirror } from './harness.ts';
import { newBuild, scriptOf, withScript } from './samples.ts';

let mirror: Mirror;
before(async () => {
  mirror = await startMirror();
});
after(() => mirror.stop());

/** A job's log is fetched, then its build ends. @returns what was asked of the log then */
async function lookedAgain(bytes: number, grows: boolean): Promise<string[]> {
  const content = Buffer.alloc(bytes, 'line of a log\n');
  const log = { content, ...(grows ? { shortForLooks: 1 } : {}) };
  const plain = newBuild({ jobs: 2, artifactsPerJob: 0, finishedAt: Date.now() });
  const build = withScript(plain, 0, { log });
  const last = { state: 'running', finishedAt: null };
  const running: SampleBuild = { ...withScript(build, 1, { ...last, log: null }), ...last };
  mirror.standIn.put(running);
  const { id } = scriptOf(running);
  await mirror.tell(running, scriptOf(running));
  await mirror.jobSettled(running, id);
  await mirror.idle();
  mirror.standIn.requests.length = 0;
  const ended = { ...build, finishedAt: Date.now() + 1000 };
  mirror.standIn.put(withScript(ended, 0, { log: scriptOf(running).log }));
  await mirror.tell(ended);
  await mirror.settled(ended);
  assert.equal(mirror.job(ended, id).log?.size, bytes);
  return mirror.standIn.requests.filter(({ path }) => path.includes(`${id}/log`)).map(({ method }) => method);
}

describe('a log that is looked at once more when its build ends', () => {
  it('is fetched again where it is small: its size would cost the same', async () => {
    assert.deepEqual(await lookedAgain(20_000, false), ['GET']);
    assert.deepEqual(await lookedAgain(20_000, true), ['GET']);
  });

  it('is asked for its size where it is large, and fetched where it has grown', async () => {
    assert.deepEqual(await lookedAgain(3_000_000, false), ['HEAD']);
    assert.deepEqual(await lookedAgain(3_000_000, true), ['HEAD', 'GET']);
  });
});
