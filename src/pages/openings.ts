/** In what other ways than as it is an artifact can be opened: the links beside its name. */
import { kindOf } from '../reports/kind.ts';

export interface Opening {
  readonly label: string;
  readonly href: string;
}

export interface OpenedFile {
  readonly path: string;
  /** Where the file itself is, from the page that lists it. */
  readonly href: string;
}

/** `?view` is the file's own page; `?open` the build's content origin, where a report may run its scripts. */
export function openingsOf({ path, href }: OpenedFile): Opening[] {
  const kind = kindOf(path);
  if (kind === 'binary') return [];
  const view = { label: 'view', href: `${href}?view` };
  if (kind !== 'html') return [view];
  return [{ label: /(^|\/)index\.html?$/.test(path) ? 'open report' : 'open', href: `${href}?open` }, view];
}
