/** A gate with a fault of its own: what it answers must be an error, and never the file that lies there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { parseConfig } from '../../src/config.ts';
import { prepareLighttpd } from '../../src/lighttpd.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { type Answer, ask } from './ask.ts';
import { build, freePort, openJob, place, put, root, settings } from './site.ts';
import { until } from './until.ts';

/** @param replaced files of lighttpd/ that are others than ours @returns the answer to who asks for an artifact */
async function answerOf(t: TestContext, replaced: Readonly<Record<string, string>>): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-broken-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [data, home, port] = [join(folder, 'data'), join(folder, 'home'), await freePort()];
  cpSync(join(root, 'lighttpd'), join(home, 'lighttpd'), { recursive: true });
  cpSync(join(root, 'lighttpd.conf'), join(home, 'lighttpd.conf'));
  symlinkSync(join(root, 'src'), join(home, 'src'));
  for (const [name, text] of Object.entries(replaced)) writeFileSync(join(home, 'lighttpd', name), text);
  const { config } = parseConfig(settings(data, port), 'lighttpd', root);
  const { command, env } = await prepareLighttpd(config, process.env['PATH'] ?? '');
  const paths = dataPaths(data);
  put(paths, paths.jobFile(place, openJob, 'artifacts/a.txt'), 'secret');
  const child = spawn(command, ['-D', '-f', join(home, 'lighttpd.conf')], {
    env: { ...env, SITE_HOME: home, SITE_WORKERS: '0' },
    stdio: 'ignore',
  });
  t.after(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  });
  const answers: Answer[] = [];
  await until('it answers', async () => {
    const answer = await ask(port, `${build}/jobs/${openJob}/artifacts/a.txt`).catch(() => null);
    if (answer !== null) answers.push(answer);
    return answer !== null;
  });
  const [first] = answers;
  assert.ok(first);
  return first;
}

describe('a front whose gate', { timeout: 60_000 }, () => {
  it('is ours sends the file', async (t) => {
    const { status, text } = await answerOf(t, {});
    assert.deepEqual([status, text], [200, 'secret']);
  });

  it('throws while it answers says so, and sends no file', async (t) => {
    const { status, text } = await answerOf(t, {
      'shapes.lua': 'return { is_artifact = function() error("a fault") end, job_of = function() end }\n',
    });
    assert.equal(status, 500);
    assert.equal((JSON.parse(text) as { error: string }).error, 'ERR_INTERNAL');
    assert.doesNotMatch(text, /secret|a fault/);
  });

  it('cannot be loaded sends no file', async (t) => {
    for (const replaced of [{ 'gate.lua': 'this is no Lua\n' }, { 'route.lua': 'error("a fault")\n' }]) {
      const { status, text } = await answerOf(t, replaced);
      assert.equal(status, 500);
      assert.doesNotMatch(text, /secret|a fault/);
    }
  });
});
