import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createSpace } from '../../src/tree/space.ts';
import { smallDisk } from './small-disk.ts';

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

  it('that the disk can never have is refused at once', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const space = createSpace(disk, 1);
    await assert.rejects(space.reserve(9e15, never), { code: 'ERR_DOWNLOAD_REFUSED' });
    await space.reserve(mib, never);
  });
});
