/**
 * Names of jobs, steps and builds as Buildkite shows them: `:rocket:` is its emoji, and escape sequences colour the
 * text. What is neither is text. @see https://buildkite.com/docs/pipelines/emojis
 */
import { emojiOf } from '../emoji.ts';
import { splitAtEmoji } from '../emoji-codes.ts';
import { channels, colorOf } from '../pens/colors.ts';
import { bold, faint, italic, type Pen, PenCase, plainPen, underlined, usual } from '../pens/pen.ts';
import { type Html, html, type Value } from './html.ts';

// A sequence that sets colours, or any other that only moves a cursor.
const sequence = /\u001b\[([\d;:]*)([A-Za-z])/g;
const styles: readonly (readonly [number, string])[] = [
  [bold, 'bold'],
  [faint, 'faint'],
  [italic, 'italic'],
  [underlined, 'underline'],
];
/** Each sixty degrees from red. */
const hues = ['red', 'yellow', 'green', 'cyan', 'blue', 'magenta'] as const;
/** Below it a colour is a grey: of 255. */
const leastChroma = 48;

export function nameHtml(text: string): Html {
  if (!text.includes('\u001b[')) return html`<bdi>${withEmoji(text)}</bdi>`;
  const pens = new PenCase();
  const parts: Html[] = [];
  let pen = plainPen;
  let from = 0;
  const push = (to: number): void => {
    if (to > from) parts.push(styled(text.slice(from, to), pen));
  };
  for (const match of text.matchAll(sequence)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') pen = pens.colored(pen, match[1] ?? '');
  }
  push(text.length);
  return html`<bdi>${parts}</bdi>`;
}

/** The same without markup, for titles: emoji as characters, tiles and sequences left out. */
export function nameText(text: string): string {
  const plain = splitAtEmoji(text.replaceAll(sequence, ''), emojiOf).join('');
  return plain.trim() || text;
}

function styled(text: string, pen: Pen): Html {
  const hue = hueOf(pen.foreground);
  const names = styles.flatMap(([bit, name]) => ((pen.styles & bit) === 0 ? [] : [name]));
  const classes = hue === null ? names : [hue, ...names];
  if (classes.length === 0) return html`${withEmoji(text)}`;
  return html`<span class="${classes.map((name) => `ansi-${name}`).join(' ')}">${withEmoji(text)}</span>`;
}

/**
 * Any colour as the nearest of the six that can be read on each of our grounds, light and dark; that of a ground is left
 * out. @returns null for black, white and greys: the usual ink
 */
function hueOf(color: number): (typeof hues)[number] | null {
  if (color === usual) return null;
  const [red, green, blue] = channels(colorOf(color));
  const most = Math.max(red, green, blue);
  const chroma = most - Math.min(red, green, blue);
  if (chroma < leastChroma) return null;
  const sixth =
    most === red ? (green - blue) / chroma : most === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
  return hues[(Math.round(sixth) + 6) % 6] ?? null;
}

function withEmoji(text: string): Value[] {
  return splitAtEmoji(text, emojiHtml);
}

function emojiHtml(name: string): Html | null {
  const emoji = emojiOf(name);
  if (emoji === null) return null;
  if (emoji !== '') return html`<span class="emoji" title=":${name}:">${emoji}</span>`;
  return html`<span class="tile" role="img" aria-label="${name}" title=":${name}:">${name.slice(0, 1).toUpperCase()}</span>`;
}
