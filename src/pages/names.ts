/**
 * Names of jobs, steps and builds as Buildkite shows them: `:rocket:` is its emoji, and escape sequences colour the
 * text. What is neither is text. @see https://buildkite.com/docs/pipelines/emojis
 */
import { emojiOf } from '../emoji.ts';
import { splitAtEmoji } from '../emoji-codes.ts';
import { type Html, html, type Value } from './html.ts';

// A sequence that sets colours, or any other that only moves a cursor.
const sequence = /\u001b\[([\d;:]*)([A-Za-z])/g;
const colours = ['', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', ''];
const styles: Readonly<Record<number, string>> = { 1: 'bold', 2: 'faint', 3: 'italic', 4: 'underline' };

export function nameHtml(text: string): Html {
  if (!text.includes('\u001b[')) return html`<bdi>${withEmoji(text)}</bdi>`;
  const parts: Html[] = [];
  let state: ReadonlySet<string> = new Set();
  let from = 0;
  const push = (to: number): void => {
    if (to > from) parts.push(styled(text.slice(from, to), state));
  };
  for (const match of text.matchAll(sequence)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') state = next(state, match[1] ?? '');
  }
  push(text.length);
  return html`<bdi>${parts}</bdi>`;
}

/** The same without markup, for titles: emoji as characters, tiles and sequences left out. */
export function nameText(text: string): string {
  const plain = splitAtEmoji(text.replaceAll(sequence, ''), emojiOf).join('');
  return plain.trim() || text;
}

function styled(text: string, state: ReadonlySet<string>): Html {
  if (state.size === 0) return html`${withEmoji(text)}`;
  return html`<span class="${Array.from(state, (name) => `ansi-${name}`).join(' ')}">${withEmoji(text)}</span>`;
}

function next(state: ReadonlySet<string>, parameters: string): ReadonlySet<string> {
  const numbers = parameters.split(/[;:]/).map(Number);
  // 256 colours and RGB are left out: they could be any, and unreadable on one of our grounds.
  if (numbers[0] === 38 || numbers[0] === 48) return state;
  const now = new Set(state);
  for (const number of numbers) {
    const isColour = (number >= 30 && number <= 37) || (number >= 90 && number <= 97);
    if (number === 0) now.clear();
    if (isColour || number === 39) for (const name of colours) now.delete(name);
    const name = isColour ? colours[number % 10] : styles[number];
    if (name !== undefined && name !== '') now.add(name);
  }
  return now;
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
