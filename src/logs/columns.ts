/** How many columns of a terminal a character takes. Pure, and shared with the browser. */

/** Tabs lead to columns that are a multiple of it. */
const tabStop = 8;

/** From here on, and for a tab, a character may take another number of columns than one. */
const firstOdd = 0x300;
const mayBeOdd = /\t|[^\0-\u02ff]/;

/** Marks that stand on what is before them, and what does not show. */
const unseen = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]/u;
/** East Asian Wide and Fullwidth, and emoji. @see https://www.unicode.org/reports/tr11/ */
const wide =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f202}\u{1f210}-\u{1f23b}\u{1f240}-\u{1f248}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
/** Two of them are a flag. */
const isHalfFlag = (code: number): boolean => code >= 0x1f1e6 && code <= 0x1f1ff;

/** By the code of a character of one unit; 3 where it is not known yet. */
const known = new Uint8Array(0x10000).fill(3);

/** Of one character that is no tab. */
export function columnsOf(character: string): 0 | 1 | 2 {
  const code = character.codePointAt(0) ?? 0;
  if (code < firstOdd) return 1;
  if (code > 0xffff) return look(character, code);
  const before = known[code] as 0 | 1 | 2 | 3;
  return before === 3 ? (known[code] = look(character, code)) : before;
}

function look(character: string, code: number): 0 | 1 | 2 {
  if (unseen.test(character)) return 0;
  return wide.test(character) && !isHalfFlag(code) ? 2 : 1;
}

export function nextTabStop(column: number): number {
  return column + tabStop - (column % tabStop);
}

/** The column behind a text that begins in `column`. */
export function columnBehind(text: string, column: number): number {
  if (!mayBeOdd.test(text)) return column + text.length;
  let at = column;
  for (const character of text) at = character === '\t' ? nextTabStop(at) : at + columnsOf(character);
  return at;
}
