/** What a log leaves in memory while it is read: as much for its hundredth megabyte as for its first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createIndexer } from '../../src/logs/build-index.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const esc = '\u001b';
const MB = 1_000_000;
const link = (to: string): string => `${esc}]8;;${to}\u0007`;
const filler = `${'x'.repeat(99)}\n`.repeat(320);
const logs: [string, (line: number) => string][] = [
  ['one link and a colour', () => `${link('https://x.test/-Wunused')}${esc}[35m-Wunused${esc}[0m${link('')} a.c:1\n`],
  ['links and a colour', (line) => `${link(`https://x.test/${line}`)}${esc}[35m-Wunused${esc}[0m${link('')} a.c:1\n`],
  ['colours', (line) => `${esc}[38;2;${line % 256};${(line >> 8) % 256};100m${filler.slice(0, 1000)}${esc}[0m\n`],
  ['groups', (line) => `--- group ${line} with a long title\n${filler}`],
];

for (const [name, lineOf] of logs) {
  test(`a log of many ${name} holds no memory that grows with it`, { timeout: 120_000 }, () => {
    const indexer = createIndexer();
    collect();
    const before = process.memoryUsage().heapUsed;
    let line = 0;
    for (let left = 12 * MB; left > 0; ) {
      let text = '';
      while (text.length < MB / 4) text += lineOf(line++);
      left -= text.length;
      indexer.write(Buffer.from(text));
    }
    collect();
    const held = process.memoryUsage().heapUsed - before;
    assert.ok(held < 6 * MB, `${(held / MB).toFixed(1)} MB`);
    assert.ok(indexer.finish().lines > 0);
  });
}
