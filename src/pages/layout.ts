/** The frame of every page: head, header with the way back, main, footer. One design, no script, nothing from elsewhere. */
import { type Html, html, raw, type Value } from './html.ts';
import { style } from './style.ts';

/** What a page of ours may do; the gateway and Lighttpd send it with each. */
export const pageSecurityPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export interface Crumb {
  readonly name: string;
  readonly href: string;
}

export interface Page {
  /** Of the browser's tab, without the mirror's own name. */
  readonly title: string;
  /** From the organization to this page, which is the last. */
  readonly crumbs: readonly Crumb[];
  readonly body: Html;
  /** Below the content, e.g. when the record was written. */
  readonly foot?: Value;
  /** The whole width of the window, for logs. */
  readonly wide?: boolean;
}

const kite = raw(
  '<svg class="kite" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false">' +
    '<path fill="currentColor" d="M12 1v16.5L4.5 9z"/><path fill="currentColor" opacity=".45" d="M12 1v16.5L19.5 9z"/>' +
    '<path fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" d="M12 17.5c0 2.6 2.4 2.4 2.4 5.3"/></svg>',
);
const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath fill='%232f6fdb' d='M12 1v16.5L4.5 9z'/%3E" +
  "%3Cpath fill='%238db4f5' d='M12 1v16.5L19.5 9z'/%3E%3Cpath fill='none' stroke='%232f6fdb' stroke-width='1.6' d='M12 17.5c0 2.6 2.4 2.4 2.4 5.3'/%3E%3C/svg%3E";

export function renderPage({ title, crumbs, body, foot, wide }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="same-origin">
<title>${title} · Kitemirror</title>
<link rel="icon" href="${raw(icon)}">
<style>${raw(style)}</style>
</head>
<body${wide === true && raw(' class="wide"')}>
<a class="skip" href="#content">Skip to content</a>
<header class="top">
<a class="brand" href="/">${kite}<span>Kitemirror</span></a>
${crumbs.length > 0 && trail(crumbs)}
</header>
<main id="content">
${body}
</main>
<footer>${foot ?? html`A mirror of Buildkite builds.`}</footer>
</body>
</html>
`.text;
}

function trail(crumbs: readonly Crumb[]): Html {
  const items = crumbs.map(
    ({ name, href }, index) =>
      html`<li><a href="${href}"${index === crumbs.length - 1 && raw(' aria-current="page"')}><bdi>${name}</bdi></a></li>`,
  );
  return html`<nav aria-label="Breadcrumb"><ol>${items}</ol></nav>`;
}
