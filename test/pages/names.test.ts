import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameHtml, nameText } from '../../src/pages/names.ts';

/** What a name's middle is dressed in. */
function classesOf(parameters: string): string | null {
  const shown = String(nameHtml(`a \u001b[${parameters}mB\u001b[0m c`));
  const [, classes = null, rest] = /^<bdi>a (?:<span class="([^"]*)">)?B(<\/span>)? c<\/bdi>$/.exec(shown) ?? [];
  assert.equal(rest === undefined, classes === null, shown);
  return classes;
}

describe('a name with colours', () => {
  const cases: readonly [string, string, string | null][] = [
    ['one of eight', '32', 'ansi-green'],
    ['a bright one', '95', 'ansi-magenta'],
    ['one of 256, by its number among sixteen', '38;5;9', 'ansi-red'],
    ['one of 256, orange', '38;5;208', 'ansi-yellow'],
    ['one of 256, of the ramp of greys', '38;5;250', null],
    ['red, green and blue', '38;2;20;40;250', 'ansi-blue'],
    ['the same between colons', '38:2::0:200:210', 'ansi-cyan'],
    ['a blue that is nearly grey', '38;2;100;100;140', null],
    ['a colour and styles in one', '1;38;5;46;4', 'ansi-green ansi-bold ansi-underline'],
    ['a number that is none of 256', '38;5;900', null],
    ['white, which is as the usual ink', '97', null],
    ['that of its ground', '41', null],
  ];
  for (const [what, parameters, classes] of cases) {
    it(`shows ${what} as ${classes ?? 'usual text'}`, () => assert.equal(classesOf(parameters), classes));
  }

  it('goes on in a colour until that ends, and escapes what it colours', () => {
    assert.equal(
      String(nameHtml('\u001b[31m<a>\u001b[1m:rocket:\u001b[39m b\u001b[22m\u001b[2K c')),
      '<bdi><span class="ansi-red">&lt;a&gt;</span>' +
        '<span class="ansi-red ansi-bold"><span class="emoji" title=":rocket:">🚀</span></span>' +
        '<span class="ansi-bold"> b</span> c</bdi>',
    );
  });

  it('is text without them where there is no markup', () => {
    assert.equal(nameText('\u001b[38;2;1;2;3m:rocket: Deploy\u001b[0m'), '🚀 Deploy');
  });
});
