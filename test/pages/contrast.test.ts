import assert from 'node:assert/strict';
import { test } from 'node:test';
import { htmlOf } from '../logs/print.ts';
import { asset } from './assets.ts';

/** The colours of one scheme: `--name: #hex;`. */
function coloursOf(css: string): Map<string, string> {
  return new Map(
    Array.from(css.matchAll(/--([\w-]+): (#[0-9a-f]{3,6});/g), ([, name = '', value = '']) => [name, value]),
  );
}

/** `#abc` → `#aabbcc` */
function full(hex: string): string {
  return hex.length === 4 ? hex.replaceAll(/[0-9a-f]/g, '$&$&') : hex;
}

/** WCAG 2 relative luminance. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(full(hex).slice(at, at + 2), 16) / 255;
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

const logCss = asset('log.css');
const ofLog = coloursOf(logCss);
const groundsOfLines = ['panel', 'hover', 'selected', 'group', 'group-hover'].map(
  (name) => ofLog.get(name) ?? assert.fail(`--${name} is not set`),
);

/** What a rule sets; null where it sets none, or one of the site's. */
function setBy(rule: string, property: string): string | null {
  const [, value = ''] = new RegExp(`(?:^|[;{ ])${property}: ?(#[0-9a-f]{3,6}|var\\(--[\\w-]+\\))`).exec(rule) ?? [];
  return value.startsWith('#') ? value : (ofLog.get(value.slice('var(--'.length, -1)) ?? null);
}

function over(text: string, ground: string, opacity: number): string {
  const mixed = [1, 3, 5].map((at) => {
    const [front = 0, back = 0] = [text, ground].map((hex) => Number.parseInt(hex.slice(at, at + 2), 16));
    return Math.round(front * opacity + back * (1 - opacity))
      .toString(16)
      .padStart(2, '0');
  });
  return `#${mixed.join('')}`;
}

test('text of a log can be read on every ground that a line has, the selected one and a group’s too', () => {
  const opacity = Number(/\.sf:not\(\.f0, \.f8\) \{ opacity: ([\d.]+); \}/.exec(logCss)?.[1]);
  let texts = 0;
  for (const [, selector = '', rule = ''] of logCss.matchAll(/([^{}]+)\{([^{}]*)\}/g)) {
    const [color, ground] = [setBy(rule, 'color'), setBy(rule, 'background')];
    if (color === null || selector.trim() === '.fi') continue;
    texts += 1;
    for (const behind of ground === null || selector.trim() === '.log' ? groundsOfLines : [ground]) {
      const ratio = contrast(color, behind);
      assert.ok(ratio >= 4.5, `${selector.trim()}, ${color} on ${behind}: ${ratio.toFixed(2)}`);
      const isFaint = /^\.f\d+$|^\.log$|span a$|quietly$/.test(selector.trim()) && !/^\.f[08]$/.test(selector.trim());
      if (!isFaint) continue;
      const faint = contrast(over(full(color), behind, opacity), behind);
      assert.ok(faint >= 4.5, `${selector.trim()} faint, ${color} on ${behind}: ${faint.toFixed(2)}`);
    }
  }
  assert.ok(texts > 25, `${texts} rules with a colour`);
  assert.ok(contrast(setBy('color: var(--panel)', 'color') ?? '', ofLog.get('text') ?? '') >= 4.5, 'turned round');
});

test('a colour that a program chose can be read on every ground that a line has, faint and turned round too', () => {
  const csi = '\u001b[';
  for (let color = 0; color < 256; color += 1) {
    for (const style of ['', ';2', ';7', ';2;7']) {
      for (const text of [`38;5;${color}`, `48;5;${color}`, `38;5;${color};48;5;${(color * 7) % 256}`]) {
        const line = htmlOf(`${csi}${text}${style}mx`);
        const [, own] = /style="color:(#[0-9a-f]{6})/.exec(line) ?? [];
        if (own === undefined) continue;
        const [, ground = /class="[^"]*\bbi\b/.test(line) ? ofLog.get('text') : undefined] =
          /background:(#[0-9a-f]{6})/.exec(line) ?? [];
        assert.doesNotMatch(line, /\bsf\b/, 'its style has made it faint');
        for (const behind of ground === undefined ? groundsOfLines : [ground]) {
          const ratio = contrast(own, behind);
          assert.ok(ratio >= 4.5, `${text}${style}: ${own} on ${behind}: ${ratio.toFixed(2)}`);
        }
      }
    }
  }
});

test('the ring around what has the focus shows on a log too', () => {
  for (const css of [light, dark]) {
    for (const ground of groundsOfLines) assert.ok(contrast(coloursOf(css).get('brand') ?? '', ground) >= 3, ground);
  }
});
