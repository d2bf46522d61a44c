/**
 * Names of jobs, steps and builds as Buildkite shows them: `:rocket:` is its emoji, and escape sequences colour the
 * text. What is neither is text. @see https://buildkite.com/docs/pipelines/emojis
 */
import { nameToEmoji } from 'gemoji';
import { type Html, html, type Value } from './html.ts';

/** Pictures that Buildkite alone has. We ship none of theirs: a letter on a tile stands for each. */
const tiles = new Set(
  (
    'android ansible apple aws azure babel bazel bitbucket bitrise bootstrap browserstack buildkite buildkite-agent buildpack bun bundler cargo chrome chromium ' +
    'circleci clojure cocoapods codeclimate codecov composer coveralls cypress dart debian deno docker docker-compose dotnet edge elasticsearch electron ' +
    'elixir elm ember erlang eslint fastlane firefox flutter gcloud gem git github gitlab golang google-cloud googlecloud gradle graphql groovy grunt gulp ' +
    'haskell helm heroku ie ios java javascript jest jenkins jquery junit kotlin kubernetes lambda laravel lint linux llvm mac macos maven meteor mocha ' +
    'mongodb msbuild mysql netlify nginx nix node node_js nodejs npm nuget parcel perl php phpunit pipeline playwright pnpm postgres postgresql powershell ' +
    'prettier protobuf puppet python rabbitmq rails react redis redhat rspec ruby rubocop rust s3 safari salt sass saucelabs scala selenium sentry slack ' +
    'sonarqube spring storybook swift symfony tailwind terraform travis typescript ubuntu unity vault vercel vim visualstudio vite vitest vue webpack windows ' +
    'xcode yarn zig'
  ).split(' '),
);

const code = /:([a-z][a-z0-9_+-]{0,40}|[+-]1|100|1234|8ball):/g;
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
  const plain = text
    .replaceAll(sequence, '')
    .replaceAll(code, (all, name: string) => emojiOf(name) ?? (tiles.has(name) ? '' : all));
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
  const parts: Value[] = [];
  let from = 0;
  for (const match of text.matchAll(code)) {
    const shown = emojiHtml(match[1] ?? '');
    // `12:abc:34` is no emoji: letters and digits do not touch one.
    const touches = /[A-Za-z0-9]/;
    if (
      shown === null ||
      touches.test(text[match.index - 1] ?? '') ||
      touches.test(text[match.index + match[0].length] ?? '')
    )
      continue;
    parts.push(text.slice(from, match.index), shown);
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function emojiHtml(name: string): Html | null {
  const emoji = emojiOf(name);
  if (emoji !== null) return html`<span class="emoji" title=":${name}:">${emoji}</span>`;
  if (!tiles.has(name)) return null;
  return html`<span class="tile" role="img" aria-label="${name}" title=":${name}:">${name.slice(0, 1).toUpperCase()}</span>`;
}

function emojiOf(name: string): string | null {
  return Object.hasOwn(nameToEmoji, name) ? (nameToEmoji[name] ?? null) : null;
}
