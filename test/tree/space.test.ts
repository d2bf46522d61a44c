import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { dataPaths } from '../../src/tree/paths.ts';
import { namedFiles } from '../../src/tree/present.ts';
import { createSpace } from '../../src/tree/space.ts';
import { machine } from '../machine.ts';
import { until } from '../mirror/until.ts';
import { smallDisk } from './small-disk.ts';

/** Another process that asks for 4 MiB when it is told to, and keeps them. */
function startAsker(t: Pick<TestContext, 'after'>, disk: string) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'space-writer.ts'), disk, String(4 * mib)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: machine,
  });
  t.after(() => child.kill('SIGKILL'));
  const said: string[] = [];
  createInterface(child.stdout).on('line', (line) => said.push(line));
  return { child, said };
}

const never = new AbortController().signal;
const mib = 1024 * 1024;

describe('room on the disk', () => {
  it('is promised once: what is reserved is no longer free, and what is given back is', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const space = createSpace(disk, 1 * mib);
    const first = await space.reserve(4 * mib, never);
    const second = await space.reserve(2 * mib, never);
    const third = space.reserve(2 * mib, never);
    let isThere = false;
    void third.then(() => (isThere = true));
    await space.reserve(0, never);
    assert.equal(isThere, false);
    second();
    second();
    await third;
    first();
    await space.reserve(4 * mib, never);
  });

  it('is promised once to those, too, who ask for it at the same moment', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const space = createSpace(disk, 1 * mib);
    const stop = new AbortController();
    let promised = 0;
    const asked = Array.from({ length: 8 }, () => space.reserve(3 * mib, stop.signal).then(() => (promised += 1)));
    await space.reserve(0, never);
    assert.equal(promised, 2);
    stop.abort(new Error('stop'));
    await Promise.allSettled(asked);
  });

  it('is waited for while another has it, and had when that is gone', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const { bavail, bsize } = statfsSync(disk);
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 2 * mib));
    const space = createSpace(disk, 1);
    let isThere = false;
    const waiting = space.reserve(4 * mib, never).then(() => (isThere = true));
    await space.reserve(0, never);
    assert.equal(isThere, false);
    rmSync(filler);
    await waiting;
  });

  it('is not waited for by who stops', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize - 2 * mib));
    const stop = new AbortController();
    const waiting = createSpace(disk, 1).reserve(4 * mib, stop.signal);
    stop.abort(new Error('stop'));
    await assert.rejects(waiting);
  });

  it('is promised once to processes that ask at the same moment, and is the others’ when one of them dies', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const askers = [startAsker(t, disk), startAsker(t, disk)] as const;
    const ready = askers.map(({ said }) => until(() => said.includes('ready'), 'an asker', 120_000));
    await Promise.all(ready);
    for (const { child } of askers) child.stdin.write('go\n');
    await until(() => askers.every(({ said }) => said.length > 1), 'both to be answered', 60_000);
    const [first, second] = askers.toSorted(({ said }) => (said.includes('promised') ? -1 : 1));
    assert.deepEqual(
      [first?.said, second?.said],
      [
        ['ready', 'promised'],
        ['ready', 'short'],
      ],
    );
    first?.child.kill('SIGKILL');
    await until(() => second?.said.includes('promised') === true, 'what the dead one had', 60_000);
  });

  it('is taken with some to spare where there is plenty, which is given back when it is not used', async (t) => {
    const disk = smallDisk(t, '2g');
    if (disk === null) return;
    const [one, other] = [createSpace(disk, 1), createSpace(disk, 1)];
    const release = await one.reserve(10, never);
    const held = (): number[] => namedFiles(dataPaths(disk).shares).map((file) => Number(readFileSync(file, 'utf8')));
    const sorted = (): number[] => held().toSorted((left, right) => left - right);
    assert.deepEqual(sorted(), [0, 64 * mib + 10]);
    release();
    await until(() => held().every((bytes) => bytes === 0), 'it to be given back');
    await other.reserve(10, never);
    assert.deepEqual(sorted(), [0, 64 * mib + 10]);
  });

  it('that the disk can never have is refused at once', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const space = createSpace(disk, 1);
    await assert.rejects(space.reserve(9e15, never), { code: 'ERR_DOWNLOAD_REFUSED' });
    await space.reserve(mib, never);
  });
});
