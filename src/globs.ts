/** What the settings include: comma-separated globs, `!` excludes, the last match wins. */
import { Minimatch } from 'minimatch';
import type { GlobRule } from './config/values.ts';

export type Matcher = (name: string) => boolean;

/** Paths: `*` stays within a folder, `**` crosses; dotfiles are files like others. */
export function pathMatcher(rules: readonly GlobRule[]): Matcher {
  return matcher(rules, (text) => text);
}

/**
 * Slugs and branches are not paths: `*` matches anything, slashes too, as in Buildkite's own branch patterns. Nor does
 * a name begin where a path would: `*` alone leaves out an empty path, `.` and `..`, but no build without a branch.
 */
export function nameMatcher(rules: readonly GlobRule[]): Matcher {
  return matcher(rules, (text) => `\u0002${text.replaceAll('/', '\u0001')}`);
}

function matcher(rules: readonly GlobRule[], flatten: (text: string) => string): Matcher {
  const compiled = rules.map(({ pattern, include }) => ({
    include,
    glob: new Minimatch(flatten(pattern), { dot: true, nocomment: true, nonegate: true }),
  }));
  return (name) => compiled.findLast(({ glob }) => glob.match(flatten(name)))?.include ?? false;
}
