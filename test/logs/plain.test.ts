import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, asyncProperty, assert as check, constantFrom, integer, oneof, property, string } from 'fast-check';
import { plainLog, plainText } from '../../src/logs/plain.ts';

const esc = '\u001b';

const cases: [string, string, string][] = [
  ['plain text stays as it is, tabs too', 'a\tb\n  ünïcode 😀\n', 'a\tb\n  ünïcode 😀\n'],
  ['line ends of a terminal become newlines', 'one\r\ntwo\r\r\nthree', 'one\ntwo\nthree'],
  [
    'Buildkite’s time stamps go',
    `${esc}_bk;t=1699999999999\u0007hello${esc}_bk;dt=12${esc}\\ again\r\n`,
    'hello again\n',
  ],
  ['colours and cursor settings go', `${esc}[?25l${esc}[1;31mred${esc}[0m${esc}(B plain ${esc}=`, 'red plain'],
  ['8-bit sequences go', '\u009b31mred\u009b0m\u009d0;title\u009c!', 'red!'],
  [
    'titles and links leave their text',
    `${esc}]0;title\u0007${esc}]8;;https://x.test${esc}\\link${esc}]8;;${esc}\\`,
    'link',
  ],
  ['a carriage return writes over what was there', '10%\r20%\r100%', '100%'],
  ['what is longer shows behind it', 'abc\rX', 'Xbc'],
  ['an erased line is gone', `Downloading…\r${esc}[KDone`, 'Done'],
  ['an erased line is gone with the cursor where it was', `ab${esc}[2Kc`, '  c'],
  ['an erased beginning is gone', `abc${esc}[1K${esc}[Gd`, 'd'],
  ['a backspace writes over', 'abc\b\bX', 'aXc'],
  ['the cursor moves within its line', `a${esc}[3Cb${esc}[2Dc`, 'a  cb'],
  ['a header in the middle of a physical line shows', '(jobs: 1)\r         \r^^^ +++\r\n', '^^^ +++\n'],
  ['a sequence that never ends takes no other line along', `a${esc}]8;;https://\nb${esc}[31`, 'a\nb'],
  ['other control characters are left out', 'a\u0000b\u0007c\u007fd', 'abcd'],
];
for (const [name, raw, plain] of cases) test(name, () => assert.equal(plainText(raw), plain));

const piece = oneof(
  constantFrom(
    '\r',
    '\b',
    '\t',
    '\n',
    '\r\n',
    esc,
    `${esc}[`,
    `${esc}[K`,
    `${esc}[2K`,
    `${esc}[1K`,
    `${esc}[999999999C`,
    `${esc}[G`,
    '\u009b',
    ';',
    '1',
    '\u0007',
  ),
  string({ unit: 'binary', maxLength: 4 }),
);
const raw = array(piece, { maxLength: 60 }).map((parts) => parts.join(''));

test('whatever a log holds, only text, tabs and newlines remain, line by line', () => {
  check(
    property(raw, (text) => {
      const plain = plainText(text);
      assert.doesNotMatch(plain, /[^\P{Cc}\n\t]/u);
      assert.equal(plain.split('\n').length, text.split('\n').length);
    }),
  );
});

async function* chunked(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('the end of a log is whole lines with the numbers that they have in all of it', async () => {
  const line = string({ unit: constantFrom('a', 'ü', '😀'), maxLength: 12 });
  await check(
    asyncProperty(
      array(line, { maxLength: 80 }),
      integer({ min: 1, max: 40 }),
      integer({ min: 1, max: 12 }),
      async (lines, size, most) => {
        const text = lines.join('\n');
        const bounds = { lines: most, bytes: 60 };
        const log = await plainLog(chunked(Buffer.from(text), size), bounds);
        const shown = log.text.split('\n');
        assert.ok(text.endsWith(log.text), 'the end');
        assert.ok(Buffer.byteLength(log.text) <= bounds.bytes && shown.length <= most + 1, 'within the bounds');
        assert.equal(log.truncated, log.text !== text);
        assert.deepEqual(lines.slice(log.firstLine - 1), text === '' ? lines : shown);
      },
    ),
  );
});

test('a log of one endless line shows its end', async () => {
  const log = await plainLog(chunked(Buffer.from('x'.repeat(500)), 7), { lines: 10, bytes: 100 });
  assert.deepEqual(log, { text: 'x'.repeat(100), truncated: true, firstLine: 1 });
});

// Each of these would take minutes if its cost grew with the square of its length.
test('a log made to be costly is not', { timeout: 60_000 }, () => {
  const hostile = [
    `${esc}[1K`,
    `${esc}[4096G${esc}[2Kx`,
    '\r\b',
    `${esc}[9999C`,
    `${esc}]`,
    `${esc}[0;`,
    `${esc} `,
    '\u009d',
  ];
  for (const each of hostile) {
    const text = `${'x'.repeat(4096)}${each.repeat((1024 * 1024) / each.length)}`;
    assert.ok(plainText(text).length <= text.length);
  }
});
