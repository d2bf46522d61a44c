import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { prepareData, sweepStaging } from '../../src/tree/data.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { ownerOf, temporaryFile } from '../../src/tree/temporary.ts';
import { preparedData, temporaryFolder } from './folder.ts';

describe('a data folder', () => {
  it('is made, tried out and left without a trace of that, as often as one likes', async (t) => {
    const paths = await preparedData(t);
    await prepareData(paths);
    assert.equal(readFileSync(join(paths.state, 'format'), 'utf8'), '1\n');
    for (const folder of [paths.tree, paths.staging]) assert.deepEqual(readdirSync(folder), []);
    assert.equal(readdirSync(paths.blobs).length, 256);
  });

  it('of a later format is left alone', async (t) => {
    const paths = dataPaths(temporaryFolder(t));
    mkdirSync(paths.state);
    writeFileSync(join(paths.state, 'format'), '2\n');
    await assert.rejects(prepareData(paths), { code: 'ERR_TREE_UNSUITABLE', message: /format 2/ });
  });

  it('that may not be written is refused with the reason', async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'data'), 'a file where a folder belongs');
    await assert.rejects(prepareData(dataPaths(join(folder, 'data'))), { code: 'ERR_TREE_UNSUITABLE' });
  });
});

describe('staging', () => {
  it('is cleared of what dead processes left, and of nothing else', async (t) => {
    const paths = await preparedData(t);
    const dead = spawn(process.execPath, ['-e', '']);
    await once(dead, 'exit');
    const name = (host: string, pid: number): string => `${host}-${pid}-0123abcd.0123456789abcdef.part`;
    const kept = [name(hostname(), process.ppid), name('another-host', 1), 'of-unknown-origin'];
    const old = [name('another-host', 2), 'of-unknown-origin-and-old'];
    const removed = [name(hostname(), dead.pid ?? 0), name(hostname(), process.pid), ...old];
    for (const each of [...kept, ...removed]) writeFileSync(paths.stagingFile(each), '');
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
    for (const each of old) utimesSync(paths.stagingFile(each), twoDaysAgo, twoDaysAgo);
    // A start that was killed while it tried the links leaves one of them, under a name that tells whose it is.
    for (const each of [dead.pid ?? 0, process.ppid]) writeFileSync(join(paths.tree, `.${name(hostname(), each)}`), '');
    // Who is killed while a file of state is written leaves it under no name that tells whose it is.
    for (const each of ['.0123456789abcdef.tmp', '.fedcba9876543210.tmp']) writeFileSync(join(paths.state, each), '');
    utimesSync(join(paths.state, '.0123456789abcdef.tmp'), twoDaysAgo, twoDaysAgo);
    assert.equal(await sweepStaging(paths), removed.length + 2);
    assert.deepEqual(
      readdirSync(paths.state).filter((each) => each.startsWith('.')),
      ['.fedcba9876543210.tmp'],
    );
    assert.deepEqual(readdirSync(paths.staging).toSorted(), kept.toSorted());
    assert.deepEqual(readdirSync(paths.tree), [`.${name(hostname(), process.ppid)}`]);
  });

  it('has names that tell whose they are', () => {
    const file = temporaryFile({ stagingFile: (name) => name });
    assert.deepEqual(ownerOf(file), { host: hostname(), pid: process.pid });
    assert.notEqual(temporaryFile({ stagingFile: (name) => name }), file);
    assert.equal(ownerOf('anything else'), null);
  });
});
