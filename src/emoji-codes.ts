/** Finds the `:name:` of emoji in a text. Pure, and shared with the browser, which has no list of them. */

const code = /:([a-z][a-z0-9_+-]{0,40}|[+-]1|100|1234|8ball):/g;
/** `12:abc:34` is no emoji: letters and digits do not touch one. */
const touches = /[A-Za-z0-9]/;

/** The text's pieces in their order. @param show what stands for an emoji, by its name; null: there is none of that name */
export function splitAtEmoji<T>(text: string, show: (name: string) => T | null): (string | T)[] {
  const parts: (string | T)[] = [];
  let from = 0;
  for (const { 0: all, 1: name = '', index } of text.matchAll(code)) {
    if (touches.test(text[index - 1] ?? '') || touches.test(text[index + all.length] ?? '')) continue;
    const shown = show(name);
    if (shown === null) continue;
    parts.push(text.slice(from, index), shown);
    from = index + all.length;
  }
  parts.push(text.slice(from));
  return parts;
}
