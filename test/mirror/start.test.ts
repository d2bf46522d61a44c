import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { machine } from '../machine.ts';
import { smallDisk } from '../tree/small-disk.ts';
import { startRedis } from './redis.ts';

const main = join(import.meta.dirname, '..', '..', 'workers', 'main.ts');

interface Start {
  readonly code: number | null;
  readonly output: string;
}

/** Starts a worker that has every reason to refuse, and waits until it has. */
async function start(folder: string, env: Record<string, string>): Promise<Start> {
  const child = spawn(process.execPath, [main], {
    env: {
      ...machine,
      BUILDKITE_ORGANIZATION: 'acme',
      BUILDKITE_API_TOKEN: 'bkua_none',
      BUILDKITE_API_URL: 'http://127.0.0.1:9',
      KITEMIRROR_DATA: join(folder, 'data'),
      KITEMIRROR_WORKER_METRICS_LISTEN: 'off',
      REDIS_URL: `unix://${join(folder, 'r.sock')}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, output: out + err };
}

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kitemirror-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('a worker refuses to start', () => {
  it('with a Redis that may drop what is queued', async (t) => {
    const folder = temporary(t);
    const redis = await startRedis(folder, ['--maxmemory-policy', 'allkeys-lru']);
    t.after(() => redis.stop());
    const { code, output } = await start(folder, {});
    assert.equal(code, 78);
    assert.match(output, /ERR_QUEUE_UNSAFE/);
    assert.match(output, /allkeys-lru.*noeviction/);
  });

  it('with a data folder of another format', async (t) => {
    const folder = temporary(t);
    mkdirSync(join(folder, 'data', 'state'), { recursive: true });
    writeFileSync(join(folder, 'data', 'state', 'format'), '2\n');
    const { code, output } = await start(folder, {});
    assert.equal(code, 78);
    assert.match(output, /ERR_TREE_UNSUITABLE.*format 2/);
  });

  for (const part of ['tree', 'blobs.v1', 'state', 'pages']) {
    it(`with ${part} on another file system: hard links do not reach there`, async (t) => {
      const folder = temporary(t);
      const disk = smallDisk(t, '1m');
      if (disk === null) return;
      mkdirSync(join(folder, 'data'));
      symlinkSync(disk, join(folder, 'data', part));
      const { code, output } = await start(folder, {});
      assert.equal(code, 78);
      assert.match(output, /ERR_TREE_UNSUITABLE.*several file systems/);
    });
  }

  it('with a data folder that is a file', async (t) => {
    const folder = temporary(t);
    writeFileSync(join(folder, 'data'), '');
    const { code, output } = await start(folder, {});
    assert.equal(code, 78);
    assert.match(output, /ERR_TREE_UNSUITABLE.*cannot be written/);
  });

  it('with settings that are wrong, and names them all at once', async (t) => {
    const env = { KITEMIRROR_CONCURRENCY: 'many', KITEMIRROR_LOGS: 'perhaps', BUILDKITE_API_TOKEN: '' };
    const { code, output } = await start(temporary(t), env);
    assert.equal(code, 78);
    assert.match(output, /3 faults.*BUILDKITE_API_TOKEN|3 faults/);
    for (const name of Object.keys(env)) assert.match(output, new RegExp(name));
  });
});
