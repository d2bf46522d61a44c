import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asset } from './assets.ts';

/** The colours of one scheme: `--name: #hex;`. */
function coloursOf(css: string): Map<string, string> {
  return new Map(
    Array.from(css.matchAll(/--([\w-]+): (#[0-9a-f]{3,6});/g), ([, name = '', value = '']) => [name, value]),
  );
}

/** WCAG 2 relative luminance. */
function luminance(hex: string): number {
  const full = hex.length === 4 ? hex.replaceAll(/[0-9a-f]/g, '$&$&') : hex;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(full.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(left: string, right: string): number {
  const [dark = 0, light = 0] = [luminance(left), luminance(right)].toSorted((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const [light = '', dark = ''] = asset('site.css').split('@media (prefers-color-scheme: dark)');
const onGround = ['ink', 'quiet', 'link', 'good', 'bad', 'busy', 'idle'];

for (const [scheme, css] of [
  ['light', light],
  ['dark', dark],
] as const) {
  test(`text can be read on its ground (AA), ${scheme}`, () => {
    const colours = coloursOf(css);
    const get = (name: string): string => colours.get(name) ?? assert.fail(`--${name} is not set`);
    const pairs = [
      ...onGround.flatMap((name) => [
        [name, 'ground'],
        [name, 'paper'],
      ]),
      ...['good', 'bad', 'busy', 'idle'].map((name) => [name, `${name}-ground`]),
      ...['ink', 'quiet', 'link'].map((name) => [name, 'mark']),
      ['ink', 'faint'],
    ];
    for (const [text = '', ground = ''] of pairs) {
      const ratio = contrast(get(text), get(ground));
      assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
    }
    // The ring around what has the focus.
    assert.ok(contrast(get('brand'), get('ground')) >= 3 && contrast(get('brand'), get('paper')) >= 3);
  });
}
