/** Patterns of the policy: `*` stands for any characters, slashes too; every other character for itself. */

/**
 * Linear but for one star's worth of stepping back: no pattern makes it slow.
 * The gate's own is lighttpd/decide.lua; test/identity compares the two.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern === text;
  let [at, from, star, resume] = [0, 0, -1, 0];
  while (from < text.length) {
    if (at < pattern.length && pattern[at] === '*') {
      star = at;
      resume = from;
      at += 1;
    } else if (at < pattern.length && pattern[at] === text[from]) {
      at += 1;
      from += 1;
    } else if (star === -1) {
      return false;
    } else {
      at = star + 1;
      resume += 1;
      from = resume;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}
