import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { Terminal } from '../../src/logs/terminal.ts';
import { htmlOf, linesOf, textsOf } from './print.ts';

const esc = '\u001b';
const csi = `${esc}[`;

const cases: [string, string, string[]][] = [
  ['plain text stays as it is, tabs too', 'a\tb\n  ünïcode 😀\n', ['a\tb', '  ünïcode 😀']],
  ['line ends of a terminal end lines once', 'one\r\ntwo\r\r\nthree', ['one', 'two', 'three']],
  ['empty lines count, also at the end', 'a\n\nb\n\n\n', ['a', '', 'b', '', '']],
  ['an empty log has no line', '', []],
  ['a carriage return writes over what was there', '10%\r20%\r100%', ['100%']],
  ['what is longer shows behind it', 'abc\rX', ['Xbc']],
  ['an erased line is gone', `Downloading…\r${csi}KDone`, ['Done']],
  ['an erased line is gone with the cursor where it was', `ab${csi}2Kc`, ['  c']],
  ['an erased beginning is gone', `abc${csi}1K${csi}Gd`, ['d']],
  ['what is erased up to the cursor takes the place of the cursor along', `abcdef${csi}3D${csi}1K`, ['    ef']],
  ['a backspace writes over, character by character', 'ab😀\b\b\bX', ['aX😀']],
  ['backspaces end at the beginning', 'hi\b\b\b\b\bbye', ['bye']],
  ['a tab leads to the next column that is a multiple of eight, over what is there', 'abcdefghij\r\tX', ['abcdefghXj']],
  ['a tab stays a tab, so that it can be copied, until it is written over', 'a\tb\tc\rX\u001b[12GY', ['X\tb  Y    c']],
  ['wide characters take two columns', '漢字a\b\bX', ['漢 Xa']],
  ['marks take none', 'e\u0301a\b\bX', ['Xa']],
  ['marks stay with what they stand on', 'xe\u0301a\rX', ['Xe\u0301a']],
  ['characters are erased in their place', `abcdef${csi}4D${csi}2X`, ['ab  ef']],
  ['characters are taken out', `abcdef${csi}4D${csi}2P!`, ['ab!f']],
  ['blanks are put in', `abcdef${csi}4D${csi}2@!`, ['ab! cdef']],
  ['lines are taken out and put in', `one\ntwo\nthree${csi}2A${csi}M${csi}B${csi}LX`, ['two', 'X', 'three']],
  ['a character is repeated', `a-${csi}4b+`, ['a-----+']],
  ['the cursor moves within its line', `a${csi}3Cb${csi}2Dc`, ['a  cb']],
  [
    'the cursor goes up, and down again',
    `one\ntwo\nthree${csi}2A\rONE${csi}B\rTWO${csi}B\rTHREE`,
    ['ONE', 'TWO', 'THREE'],
  ],
  ['the cursor goes to the beginning of lines above and below', `one\ntwo${csi}FX${csi}EY`, ['Xne', 'Ywo']],
  ['progress of several lines is written over', `a 1\nb 1\n${csi}2A${csi}2Ka 2\n${csi}2Kb 2\n`, ['a 2', 'b 2']],
  ['the cursor goes below what there is', `top${csi}2Bdown`, ['top', '', '   down']],
  ['the cursor is saved and comes back', `ab${esc}7cd${esc}8X`, ['abXd']],
  ['a reverse line feed goes up', `one\ntwo${esc}Mx`, ['onex', 'two']],
  ['what is below is erased', `foo\nbar${csi}A${csi}Jbaz`, ['foobaz', '']],
  ['what is above is erased', `foo\nbar\nbaz${csi}A${csi}1Jqux`, ['', '   qux', 'baz']],
  ['the screen is erased with the cursor where it was', `a\nb${csi}2Jc`, ['', ' c']],
  ['a place on a screen of unknown size is below what is there', `a\nb\n${csi}1;3Hc`, ['a', 'b', '  c']],
  ['a header in the middle of a physical line shows', '(jobs: 1)\r         \r^^^ +++\r\n', ['^^^ +++']],
  [
    'Buildkite’s time stamps go',
    `${esc}_bk;t=1699999999999\u0007hello${esc}_bk;dt=12${esc}\\ again\r\n`,
    ['hello again'],
  ],
  ['colours and cursor settings go', `${csi}?25l${csi}1;31mred${csi}0m${esc}(B plain ${esc}=`, ['red plain']],
  ['8-bit sequences go', '\u009b31mred\u009b0m\u009d0;title\u009c!', ['red!']],
  [
    'titles and links leave their text',
    `${esc}]0;title\u0007${esc}]8;;https://x.test${esc}\\link${esc}]8;;${esc}\\`,
    ['link'],
  ],
  ['a sequence that never ends takes no other line along', `a${esc}]8;;https://\nb${csi}31`, ['a', 'b']],
  ['other control characters are left out', 'a\u0000b\u0007c\u007fd', ['abcd']],
];
for (const [name, text, lines] of cases) {
  test(name, () => {
    assert.deepEqual(textsOf(text), lines);
    // However the bytes are cut into pieces.
    const pieces: string[] = [];
    const terminal = new Terminal((row) =>
      pieces.push(
        row
          .runs()
          .map((run) => run.text)
          .join('')
          .trimEnd(),
      ),
    );
    for (const character of text) terminal.feed(character);
    terminal.finish();
    assert.deepEqual(pieces, lines, 'character by character');
  });
}

describe('colours and styles', () => {
  const shown = (text: string): string => /<span>(.*?)<\/span><\/div>/.exec(htmlOf(text))?.[1] ?? '';
  it('are the sixteen, with what styles there are', () => {
    assert.equal(shown(`he${csi}32mllo`), 'he<b class="f2">llo</b>');
    assert.equal(shown(`${csi}1;4;91mhot${csi}22;24;39m!`), '<b class="sb su f9">hot</b>!');
    assert.equal(shown(`${csi}2;3;9mx${csi}m!`), '<b class="sf si ss">x</b>!');
  });
  it('are the 256 and all 24 bits, made readable on their ground', () => {
    assert.equal(shown(`${csi}38;5;203mx`), '<b style="color:#ff5f5f">x</b>');
    assert.equal(shown(`${csi}38;2;250;200;10mx`), '<b style="color:#fac80a">x</b>');
    assert.match(shown(`${csi}38;2;0;0;0mx`), /color:#[7-9a]/);
    assert.match(shown(`${csi}38;5;196mx`), /color:#ff[3-7]/);
    assert.match(shown(`${csi}48;5;231;38;5;231mx`), /color:#[0-7].*background:#ffffff/);
    assert.equal(shown(`${csi}38:2:250:200:10mx`), '<b style="color:#fac80a">x</b>');
  });
  it('are turned round', () => {
    assert.equal(shown(`${csi}7mx`), '<b class="fi bi">x</b>');
    assert.match(shown(`${csi}31;7mx`), /background:#ff7b81/);
  });
  it('go on in the lines that follow, and one colour is one element', () => {
    assert.equal(htmlOf(`${csi}32ma${csi}32mb\nc`).match(/<b class="f2">(ab|c)<\/b>/g)?.length, 2);
  });
  it('of an underline are passed over with their numbers, and its kind is told by a sub-parameter', () => {
    assert.equal(shown(`${csi}4:3mx${csi}4:0m!`), '<b class="su">x</b>!');
    assert.equal(
      shown(`${csi}58;5;1mx${csi}58;2;1;3;4my${csi}58:2::1:3:4mz${csi}58:5:1;32m!`),
      'xyz<b class="f2">!</b>',
    );
  });
  it('between colons are those of ISO 8613-6, and those that most programs write', () => {
    for (const colors of ['38:2::250:200:10', '38:2:0:250:200:10', '38:2:250:200:10', '38:2::250:200:10:1:2'])
      assert.equal(shown(`${csi}${colors}mx`), '<b style="color:#fac80a">x</b>', colors);
    assert.equal(shown(`${csi}38:5:203;1mx`), '<b class="sb" style="color:#ff5f5f">x</b>');
    assert.equal(shown(`${csi}38:5:300;1;38:2:1:2m!`), '<b class="sb">!</b>');
  });
  it('that do not exist change nothing', () => {
    assert.equal(shown(`${csi}38;5;300ma${csi}38;2;1;2mb${csi}99999mc${csi}38md`), 'abcd');
  });
});

describe('the time of a line', () => {
  const times = (text: string): (number | null)[] => linesOf(text).map(({ time }) => time);
  it('is the last that its stamps tell, and a difference counts from the one before', () => {
    assert.deepEqual(times(`${esc}_bk;t=1000\u0007a\n${esc}_bk;dt=5${esc}\\b${esc}_bk;dt=7\u0007\nc`), [
      1000,
      1012,
      null,
    ]);
  });
  it('that would be later than any date is none', () => {
    const latest = '8640000000000000';
    assert.deepEqual(times(`${esc}_bk;t=${latest}\u0007a${esc}_bk;dt=${latest}\u0007\n${esc}_bk;dt=1\u0007b`), [
      8.64e15,
      null,
    ]);
  });
  it('is none for a stamp that is none', () => {
    for (const odd of ['', ' ', '1e3', '0x5', '1.5', '-1', '+1'])
      assert.deepEqual(times(`${esc}_bk;t=${odd}\u0007a`), [null], odd);
    assert.deepEqual(times(`${esc}_bk;t=x\u0007a\n${esc}_other;t=5\u0007b\n${esc}_bk;t=99999999999999999\u0007c`), [
      null,
      null,
      null,
    ]);
  });
});

it('a line is bounded, and nothing of it is lost', () => {
  const text = `${'x'.repeat(20_000)}😀${'y'.repeat(20_000)}`;
  const lines = textsOf(text);
  assert.ok(lines.length >= 3 && lines.every((line) => line.length <= 16_384));
  assert.equal(lines.join(''), text);
});

it('a line whose end is written anew is as long as what is left of it, however often', () => {
  const progress = Array.from({ length: 3000 }, (_, at) => `${at} of 3000`);
  const erased = progress.map((each) => `${csi}14G${csi}K${each}`).join('');
  assert.deepEqual(textsOf(`Downloading: ${erased}\ndone\n`), ['Downloading: 2999 of 3000', 'done']);
  const restored = progress.map((each) => `${csi}s${csi}K${each}${csi}u`).join('');
  assert.deepEqual(textsOf(`Downloading: ${restored}\ndone\n`), ['Downloading: 2999 of 3000', 'done']);
  const removed = progress.map((each) => `${csi}14G${csi}99P${each}`).join('');
  assert.deepEqual(textsOf(`Downloading: ${removed}\ndone\n`), ['Downloading: 2999 of 3000', 'done']);
});

it('a text longer than a line is written over what is there, and over the lines that it goes on in', () => {
  const text = `${'x'.repeat(16_383)}${'y'.repeat(600)}`;
  const lines = [`${'x'.repeat(16_383)}y`, 'y'.repeat(599)];
  assert.deepEqual(textsOf(`50%\r${text}\n`), lines);
  assert.deepEqual(textsOf(`50%\nbelow${csi}A\r${text}\n`), lines);
});

test('what is moved in a long line is moved within two screens’ width', () => {
  const long = 'x'.repeat(1000);
  assert.deepEqual(textsOf(`${long}\r${csi}2P!`), [`!${'x'.repeat(317)}  ${'x'.repeat(680)}`]);
  assert.deepEqual(textsOf(`${'x'.repeat(318)}漢${long}\r${csi}@!`), [`!${'x'.repeat(318)} ${long}`]);
  assert.deepEqual(textsOf(`${long}\r${csi}999X`), [`${' '.repeat(320)}${'x'.repeat(680)}`]);
  assert.deepEqual(textsOf(`${long}${csi}D${csi}1K`), ['']);
  assert.deepEqual(textsOf(`${long}${csi}2D${csi}1K`), [`${'x'.repeat(679)}${' '.repeat(320)}x`]);
});

// Each of these would take minutes if its cost grew with the square of its length.
test('a log made to be costly is not', { timeout: 60_000 }, () => {
  const hostile = [
    `${csi}1K`,
    `${csi}4096G${csi}2Kx`,
    '\r\b',
    `${csi}9999C`,
    `${esc}]`,
    `${csi}0;`,
    `${esc} `,
    '\u009d',
    `${csi}2J`,
    `${csi}99A${csi}J`,
    `${esc}7x${esc}8`,
    `${csi}160Gx\n`,
    `${esc}]1337;File=inline=1:`,
    `${csi}38;2;1;2;3m${csi}48;5;7m`,
    `${esc}]8;;https://x.test/\u0007${csi}35mx${csi}0m${esc}]8;;\u0007\n`,
    `${esc}]8;;https://x.test/\u0007${csi}1;35mx`,
    `${esc}]8;;`,
    `${csi}G${csi}@`,
    `\t\r${csi}@`,
    `\t${csi}4G${csi}P`,
    `${csi}3G${csi}9X`,
    `${csi}99L`,
    `x${csi}9999b`,
    '\r\t',
    '漢\b',
    '\u0301',
    `\r\u0301`,
    `${csi}99999X`,
    `${csi}160@`,
    `${csi}@${csi}P`,
    `\t${csi}G${csi}@`,
    `${csi}16000G${csi}1K`,
    `${csi}99L${csi}99M`,
    `x${esc}7`,
    `${csi}7mx${esc}7${csi}mx${esc}7`,
    `${csi}7m漢${csi}X${csi}m字${csi}X`,
  ];
  for (const each of hostile) {
    for (const before of ['x'.repeat(4096), `${'x'.repeat(16_000)}\r`, 'x\n'.repeat(300)]) {
      const begun = process.cpuUsage();
      assert.ok(textsOf(before + each.repeat((128 * 1024) / each.length)).length > 0, JSON.stringify(each));
      const { user, system } = process.cpuUsage(begun);
      // Most take a twentieth of it.
      assert.ok(user + system < 400_000, `${JSON.stringify(each)}: ${user + system} µs`);
    }
  }
});
