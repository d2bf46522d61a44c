/** Addresses. Within a build they are relative, so that a page stays right when its pipeline is renamed. */

/** One part of an address. A lone surrogate, which has no encoding, becomes U+FFFD instead of an exception. */
export function segment(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** `a b/ü.txt` → `a%20b/%C3%BC.txt`; always relative: `//host` would be another host's address. */
export function pathHref(path: string): string {
  return path.replace(/^\/+/, '').split('/').map(segment).join('/');
}

/**
 * The stable address of a branch's latest passed build, below the pipeline's. The branch stands in the path with its
 * slashes; one that could not come back from there in one piece goes into the query.
 */
export function latestHref(branch: string, rest = ''): string {
  const isPlain = branch.split('/').every((part) => part !== '' && part !== '-' && part !== '.' && part !== '..');
  const query = isPlain ? '' : `?branch=${segment(branch)}`;
  return `latest/${isPlain ? pathHref(branch) : 'branch'}/-/${pathHref(rest)}${query}`;
}

/** Only https leads out of the mirror. @returns null for any other kind of address */
export function outwardHref(url: string | null): string | null {
  if (url === null || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  return parsed.protocol === 'https:' && parsed.username === '' ? parsed.href : null;
}
