/** Pictures, films and sound; and the gallery of a folder. */
import type { Kind } from '../reports/kind.ts';
import { counted, formatBytes } from './format.ts';
import { type Html, html } from './html.ts';
import { type Crumb, renderPage } from './layout.ts';
import { pathHref } from './links.ts';

/** @param href the file itself · @returns null for what is none of these */
export function renderMedia(kind: Kind, href: string, name: string): Html | null {
  if (kind === 'image')
    return html`<figure class="media"><a href="${href}"><img src="${href}" alt="${name}"></a></figure>`;
  if (kind === 'video')
    return html`<figure class="media"><video src="${href}" controls preload="metadata"></video></figure>`;
  if (kind === 'audio')
    return html`<figure class="media"><audio src="${href}" controls preload="metadata"></audio></figure>`;
  return null;
}

export interface GalleryPage {
  readonly title: string;
  readonly crumbs: readonly Crumb[];
  /** Below the folder that the page is of; one page of them. */
  readonly images: readonly { readonly path: string; readonly size: number | null }[];
  /** In all. */
  readonly total: number;
  /** Where the next page begins. */
  readonly next: string | null;
}

export function renderGallery({ title, crumbs, images, total, next }: GalleryPage): string {
  const folder = crumbs.at(-1)?.name ?? '';
  return renderPage({
    title,
    crumbs,
    styles: ['view.css'],
    body: html`<h1 class="mono"><bdi>${folder}/</bdi></h1>
<p class="lead">${counted(total, 'picture')} · <a href="./?list">list</a></p>
${images.length === 0 ? html`<div class="card empty">There are no pictures here.</div>` : html`<ul class="gallery">${images.map(picture)}</ul>`}
${next !== null && html`<div class="actions"><a class="button" rel="next" href="${next}">More</a></div>`}`,
  });
}

function picture({ path, size }: GalleryPage['images'][number]): Html {
  const href = pathHref(path);
  return html`<li class="card"><figure><a href="${href}?view"><img src="${href}" alt="${path}" loading="lazy" decoding="async"></a><figcaption><a class="mono" href="${href}?view"><bdi>${path}</bdi></a>${size !== null && html` <span class="quiet">${formatBytes(size)}</span>`}</figcaption></figure></li>`;
}
