/** The badge of a branch: a small picture that says how its latest build ended. Its texts are ours or checked words. */
import { pillTone, type Tone } from './parts.ts';

const colours: Readonly<Record<Tone, string>> = { good: '#1a7f37', bad: '#c2233a', busy: '#8a5a00', idle: '#57606a' };
/** Of the 11 px sans-serif that most machines have; `textLength` makes it fit on the others. */
const widths = { character: 6.6, padding: 10 };

export function renderBadge(state: string): string {
  const word = /^[a-z_]{1,24}$/.test(state) ? state.replaceAll('_', ' ') : 'unknown';
  const label = 'build';
  const [left, right] = [widthOf(label), widthOf(word)];
  const width = left + right;
  const text = (value: string, from: number, size: number): string =>
    `<text x="${from + size / 2}" y="14" textLength="${size - widths.padding}">${value}</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${label}: ${word}">` +
    `<title>${label}: ${word}</title><clipPath id="r"><rect width="${width}" height="20" rx="4"/></clipPath>` +
    `<g clip-path="url(#r)"><path fill="#3a414b" d="M0 0h${left}v20H0z"/><path fill="${colours[pillTone(state)]}" d="M${left} 0h${right}v20H${left}z"/></g>` +
    `<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">${text(label, 0, left)}${text(word, left, right)}</g></svg>\n`
  );
}

function widthOf(text: string): number {
  return Math.round(text.length * widths.character) + widths.padding;
}
