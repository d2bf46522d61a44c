/**
 * What the strings within a log mean: Buildkite's time stamps (APC `bk;t=…`), links and pictures (OSC 8, 1337, 1338, 1339).
 * A picture comes from this site alone. Pure, and shared with the browser.
 * @see https://buildkite.com/docs/pipelines/configure/links-and-images-in-log-output
 */
import { ownArtifact, safeLink } from '../pens/links.ts';
import type { Picture } from '../pens/pen.ts';

export type Meaning =
  | { readonly kind: 'time'; readonly at: number }
  | { readonly kind: 'later'; readonly ms: number }
  /** What follows is a link; null: what follows is none. */
  | { readonly kind: 'link'; readonly to: string | null }
  | { readonly kind: 'text'; readonly text: string; readonly to: string | null }
  | { readonly kind: 'picture'; readonly picture: Picture }
  | null;

/** A picture within the log, in characters of base64: 256 KiB of bytes. */
const longestPicture = 350_000;
const longestText = 1000;
/** What a date can be, ms since 1970. */
export const latestTime = 8.64e15;
const stamp = /^bk;(?:[^;]*;)*?(d?)t=(\d{1,16})(?:;|$)/;

/** `bk;t=<ms since 1970>` or `bk;dt=<ms since the last>`; what else an APC says is not for us. */
export function readApplicationCommand(text: string): Meaning {
  if (!text.startsWith('bk;')) return null;
  const [, delta, digits] = stamp.exec(text) ?? [];
  const value = Number(digits);
  if (!(value >= 0 && value <= latestTime)) return null;
  return delta === '' ? { kind: 'time', at: value } : { kind: 'later', ms: value };
}

export function readSystemCommand(text: string): Meaning {
  const [, code, rest = ''] = /^(\d{1,4});([^]*)$/.exec(text) ?? [];
  if (code === '8') return { kind: 'link', to: safeLink(rest.slice(rest.indexOf(';') + 1)) };
  if (code === '1337' && rest.startsWith('File=')) return inlinePicture(rest.slice('File='.length));
  if (code !== '1338' && code !== '1339') return null;
  const { url = '', content = '', alt = '' } = namedParts(rest);
  if (code === '1338') return linkedPicture(url, alt);
  const shown = content === '' ? url : content;
  return shown === '' ? null : { kind: 'text', text: shown.slice(0, longestText), to: safeLink(url) };
}

/** A picture of another host is a link to it: the page itself asks no other host for anything. */
function linkedPicture(url: string, alt: string): Meaning {
  const alternative = (alt === '' ? url : alt).slice(0, longestText);
  const own = ownArtifact(url);
  if (own !== null) return { kind: 'picture', picture: { source: own, alternative } };
  const data = /^data:(image\/[a-z]+);base64,([A-Za-z0-9+/]+={0,2})$/.exec(url);
  if (data !== null) return picture(data[2] ?? '', alternative);
  return alternative === '' ? null : { kind: 'text', text: alternative, to: safeLink(url) };
}

/** iTerm's: `name=<base64>;inline=1:<base64>`. Without `inline=1` it is a download, which a log does not offer. */
function inlinePicture(text: string): Meaning {
  const cut = text.indexOf(':');
  if (cut === -1) return null;
  const { name = '', inline } = namedParts(text.slice(0, cut));
  return inline === '1' ? picture(text.slice(cut + 1), fromBase64(name) ?? 'picture') : null;
}

/** The type is told by the bytes; a name says what it likes. SVG and whatever else could act are none. */
const types: readonly (readonly [RegExp, string])[] = [
  [/^iVBORw0KGgo/, 'image/png'],
  [/^\/9j\//, 'image/jpeg'],
  [/^R0lGOD[dl]/, 'image/gif'],
  [/^UklGR.{6,7}XRUJQ/, 'image/webp'],
];

function picture(base64: string, alternative: string): Meaning {
  const type = types.find(([start]) => start.test(base64))?.[1];
  const shown = alternative.slice(0, longestText);
  if (type === undefined || base64.length > longestPicture || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    return { kind: 'text', text: `[${shown}: not a picture that is shown here]`, to: null };
  }
  return { kind: 'picture', picture: { source: `data:${type};base64,${base64}`, alternative: shown } };
}

function fromBase64(text: string): string | null {
  if (!/^[A-Za-z0-9+/]{1,1400}={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) return null;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

/** `name=value;name='a; b'`: a value may be quoted, and `\` takes the next character as it is. */
function namedParts(text: string): Record<string, string | undefined> {
  const parts: Record<string, string | undefined> = Object.create(null) as Record<string, string | undefined>;
  for (const [, name = '', value = ''] of text.matchAll(/([A-Za-z]{1,20})=((?:'[^']*'|"[^"]*"|\\.|[^;'"\\])*)/g)) {
    parts[name.toLowerCase()] ??= value.replaceAll(/'([^']*)'|"([^"]*)"|\\(.)/g, '$1$2$3');
  }
  return parts;
}
