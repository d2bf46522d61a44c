/**
 * Our terminal beside Buildkite's own, on the examples that it publishes: the same text, colours and styles.
 * The examples are kept beside the project: a public clone copies the folder `fixtures` of
 * https://github.com/buildkite/terminal-to-html to ../shared/fixtures/terminal-to-html, or says that there is none.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bold, faint, italic, type Pen, rgb, struck, underlined } from '../../src/pens/pen.ts';
import { linesOf } from './print.ts';
import { shownByXterm, withoutBlankEnd } from './shown-by-xterm.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'shared', 'fixtures', 'terminal-to-html');
const names = existsSync(folder) ? readdirSync(folder).flatMap((name) => /^(.+)\.raw$/.exec(name)?.[1] ?? []) : [];
const skip = names.length === 0 && 'the examples are not in a public clone (../shared/fixtures/terminal-to-html)';

/** A character and how it is dressed, in the class names of terminal-to-html. */
type Cell = readonly [string, string];

function ofTheirs(html: string): Cell[][] {
  return html
    .replace(/\n$/, '')
    .replaceAll(/<time[^>]*>[^<]*<\/time>/g, '')
    .split('\n')
    .map((line) => {
      let dress = '';
      return Array.from(line.matchAll(/<[^>]*>|[^<]+/g), ([token]) => token).flatMap((token): Cell[] => {
        if (token.startsWith('<img')) return [['▣', '']];
        if (token.startsWith('</span')) dress = '';
        else if (token.startsWith('<span')) dress = /class="([^"]*)"/.exec(token)?.[1] ?? '';
        return token.startsWith('<')
          ? []
          : Array.from(decode(token), (character) => [character, sorted(dress.split(' '))]);
      });
    })
    .map(trimmed);
}

const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', nbsp: ' ' };

function decode(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|(\w+));/g, (all, code: string | undefined, name: string) =>
    code === undefined ? (named[name] ?? all) : String.fromCodePoint(Number(code)),
  );
}

/** They know the first sixteen colours by two names, and blinking, which nothing of ours does. */
function sorted(classes: readonly string[]): string {
  return classes
    .filter((name) => name !== '' && name !== 'term-fg5')
    .map((name) => name.replace(/^term-(fg|bg)x(\d|1[0-5])$/, (_all, kind: 'fg' | 'bg', at) => color(kind, Number(at))))
    .sort()
    .join(' ');
}

function color(kind: 'fg' | 'bg', at: number): string {
  const first = kind === 'fg' ? 30 : 40;
  if (at < 8) return `term-${kind}${first + at}`;
  return at < 16 ? `term-${kind}i${first + 52 + at}` : `term-${kind}x${at}`;
}

const styles = [
  [bold, 'term-fg1'],
  [faint, 'term-fg2'],
  [italic, 'term-fg3'],
  [underlined, 'term-fg4'],
  [struck, 'term-fg9'],
] as const;

/** Colours of 24 bits are left out: theirs does not show them. */
function dressOf(pen: Pen): string {
  const shown = (['fg', 'bg'] as const).flatMap((kind) => {
    const at = kind === 'fg' ? pen.foreground : pen.background;
    return at < 0 || at >= rgb ? [] : [color(kind, at)];
  });
  return sorted([...shown, ...styles.flatMap(([bit, name]) => ((pen.styles & bit) === 0 ? [] : [name]))]);
}

function ofOurs(text: string): Cell[][] {
  return linesOf(text).map(({ runs }) =>
    trimmed(
      runs.flatMap(({ text: run, pen }): Cell[] =>
        pen.picture === null ? Array.from(run, (character) => [character, dressOf(pen)]) : [['▣', '']],
      ),
    ),
  );
}

/** A blank has no style that shows here, and none at a line's end is looked at. */
function trimmed(cells: readonly Cell[]): Cell[] {
  const shown = cells.map(([character, dress]): Cell => (/\s/.test(character) ? [' ', ''] : [character, dress]));
  return shown.slice(0, shown.findLastIndex(([character]) => character !== ' ') + 1);
}

function read(name: string, ending: 'raw' | 'rendered'): string {
  return readFileSync(join(folder, `${name}.${ending}`), 'utf8');
}

/** Theirs breaks a line after other bytes than ours does, so it is compared as one. */
const broken = 'huge-line.sh';
/** Theirs loses count of the lines above the cursor; ours shows what xterm shows. */
const miscounted = 'buildah-build.sh';

for (const name of names.filter((each) => each !== broken && each !== miscounted)) {
  test(`${name} shows as Buildkite shows it, in the same colours`, () => {
    assert.deepEqual(ofOurs(read(name, 'raw')), ofTheirs(read(name, 'rendered')));
  });
}

test('a line too long for one loses nothing', { skip }, () => {
  const whole = (lines: readonly Cell[][]): string =>
    lines.flatMap((line) => line.map(([character]) => character)).join('');
  assert.equal(whole(ofOurs(read(broken, 'raw'))), whole(ofTheirs(read(broken, 'rendered'))));
});

test('where theirs miscounts lines, ours shows what xterm shows', { skip }, async () => {
  const text = read(miscounted, 'raw');
  const ours = ofOurs(text).map((line) => line.map(([character]) => character).join(''));
  assert.deepEqual(withoutBlankEnd(ours), await shownByXterm(text));
});
