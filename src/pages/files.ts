/** A file's line and a folder's, the same in the tree of a build and in a listing, so that one can become the other. */
import { counted, formatBytes, shortDigest } from './format.ts';
import { type Html, html, raw } from './html.ts';
import { openingsOf } from './openings.ts';
import { filesText } from './parts.ts';

export interface FileLine {
  readonly name: string;
  /** Below the folder that the whole list is of: what a filter looks at. */
  readonly path: string;
  readonly href: string;
  readonly size: number | null;
  readonly type: string | null;
  readonly sha256: string | null;
  /** Files of other jobs under the same path, which the merged view does not show. */
  readonly others?: number;
  /** Whether it has a page of its own; records and sums have none. */
  readonly isArtifact?: boolean;
}

export interface FolderLine {
  readonly name: string;
  /** Of its listing. */
  readonly href: string;
  /** Files below it, at any depth; null where nobody counted. */
  readonly count: number | null;
  readonly bytes: number | null;
  /** What the name does not tell. */
  readonly note?: string;
}

export function fileLine({ name, path, href, size, type, sha256, others, isArtifact }: FileLine): Html {
  const openings = isArtifact === false ? [] : openingsOf({ path, href });
  return html`<li class="leaf" data-path="${path}"><span class="is"><a class="mono" href="${href}"><bdi>${name}</bdi></a>${
    others !== undefined &&
    others > 0 &&
    html` <span class="tag warn" title="This one’s job finished last; the others are on their jobs’ pages">also in ${counted(others, 'other job')}</span>`
  }</span><span class="does">${openings.map(
    ({ label, href: at }) => html`<a href="${at}" aria-label="${label} ${name}">${label}</a>`,
  )}</span><span class="size">${size !== null && formatBytes(size)}</span><span class="type">${type}</span><span class="digest">${
    sha256 !== null && shortDigest(sha256)
  }</span></li>`;
}

/** @param loads whether a script may open it in place */
export function folderLine({ name, href, count, bytes, note }: FolderLine, loads: boolean): Html {
  const about = count === null ? (bytes === null ? '' : formatBytes(bytes)) : filesText(count, bytes ?? 0);
  return html`<li class="leaf folder"${loads && raw(' data-load')} data-path="${name}/"><a class="mono" href="${href}"><bdi>${name}/</bdi></a><span class="count quiet">${about}</span>${
    note !== undefined && html`<bdi class="quiet">${note}</bdi>`
  }</li>`;
}
