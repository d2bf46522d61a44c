import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { rotateAccessLog } from '../../src/tree/log-rotation.ts';
import { createReserve } from '../../src/tree/reserve.ts';
import { preparedData } from './folder.ts';
import { smallDisk } from './small-disk.ts';

const mib = 1024 ** 2;

describe('the reserve', () => {
  it('is real room, given when the disk is full, and made again when there is ample', async (t) => {
    const disk = smallDisk(t, '32m');
    if (disk === null) return;
    const paths = await preparedData(t, disk);
    const reserve = createReserve(paths, 2 * mib);
    assert.equal(await reserve.look(), 'made');
    assert.ok(statSync(paths.reserve).blocks * 512 >= 2 * mib);
    assert.equal(await reserve.look(), 'kept');
    const filler = join(disk, 'filler');
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 4096));
    assert.throws(() => writeFileSync(join(paths.spool, 'x'), Buffer.alloc(mib)), { code: 'ENOSPC' });
    assert.equal(await reserve.look(), 'released');
    writeFileSync(join(paths.spool, 'x'), Buffer.alloc(mib));
    assert.deepEqual([await reserve.look(), reserve.release()], ['none', false]);
    writeFileSync(filler, '');
    assert.equal(await reserve.look(), 'made');
  });

  it('is not made where it would be what fills the disk', async (t) => {
    const disk = smallDisk(t, '8m');
    if (disk === null) return;
    const paths = await preparedData(t, disk);
    assert.equal(await createReserve(paths, 2 * mib).look(), 'none');
    assert.ok(!existsSync(paths.reserve));
  });
});

describe('the access log', () => {
  it('and its older parts never take more than they may, and the newest lines stay', async (t) => {
    const paths = await preparedData(t);
    const log = join(paths.logs, 'access.log');
    for (let round = 0; round < 9; round += 1) {
      writeFileSync(log, `round ${round}`.padEnd(260));
      assert.equal(rotateAccessLog(paths, 1000), true);
      assert.ok(!existsSync(log));
    }
    assert.deepEqual(readdirSync(paths.logs).toSorted(), ['access.log.1', 'access.log.2', 'access.log.3']);
    assert.match(readFileSync(`${log}.1`, 'utf8'), /round 8/);
    writeFileSync(log, 'small');
    assert.equal(rotateAccessLog(paths, 1000), false);
  });
});
