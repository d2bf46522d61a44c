/** Headers of groups as Buildkite shows them: emoji for their names, and how long the group took. Pure, and shared with the browser. */
import { formatDuration } from '../durations.ts';
import { splitAtEmoji } from '../emoji-codes.ts';
import { escape } from '../escape.ts';
import type { LogIndex } from './index-format.ts';

/** What of an index headers are dressed with. */
export type Headers = Pick<LogIndex, 'groups' | 'emoji' | 'to'>;

const shortestMs = 1000;
/** Between two tags: `lineHtml` leaves no `<` or `>` that is not a tag's. */
const texts = />[^<>]+</g;

/** @param line of `lineHtml` @param at the group's place among `groups` */
export function headerHtml(line: string, { groups, emoji, to }: Headers, at: number): string {
  const begun = groups[at]?.time ?? null;
  const ended = groups[at + 1]?.time ?? to;
  const took = begun === null || ended === null ? 0 : ended - begun;
  const shown = line.replaceAll(texts, (text) => splitAtEmoji(text, (name) => emojiHtml(name, emoji)).join(''));
  if (took < shortestMs) return shown;
  return `${shown.slice(0, -'</div>'.length)}<i class="took">${formatDuration(took)}</i></div>`;
}

function emojiHtml(name: string, emoji: LogIndex['emoji']): string | null {
  const character = Object.hasOwn(emoji, name) ? emoji[name] : undefined;
  if (character === undefined) return null;
  if (character !== '') return `<i class="emoji" title=":${name}:">${escape(character)}</i>`;
  return `<i class="tile" role="img" aria-label="${name}" title=":${name}:">${name.slice(0, 1).toUpperCase()}</i>`;
}
