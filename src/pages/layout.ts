/** The frame of every page: head, header with the way back and the search, main, footer. One design, nothing from elsewhere. */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { type Html, html, raw, type Value } from './html.ts';

/**
 * What a page of ours may do; the gateway and Lighttpd (lighttpd/answers.lua) send it with each. Scripts come from one
 * folder that holds nothing of upstream's. A source without a scheme has the page's own, whatever stands in front of us.
 * @param host the authority under which the page was asked for
 */
export function pageSecurityPolicy(host: string | undefined): string {
  // An address in brackets is none that a policy can name.
  const scripts = host !== undefined && /^[\w.-]+(:\d+)?$/.test(host) ? `${host}${assets}` : "'self'";
  return (
    `default-src 'none'; script-src ${scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self'; ` +
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
  );
}

/** Where Lighttpd serves src/pages/assets. */
const assets = '/-/assets/';

/** Known to all threads that are started afterwards: a page looks the same wherever it is made. */
const accounts = 'kitemirror accounts';

/** From now on the pages of this program lead to the account. Called where identity is on. */
export function offerAccount(): void {
  setEnvironmentData(accounts, true);
}

/** What site.js imports: a browser need not find them one after the other. */
const siteModules = ['filter.js', 'keys.js', 'load.js'];

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
  /** Files of src/pages/assets beside the ones that every page has. */
  readonly styles?: readonly string[];
  readonly scripts?: readonly string[];
  /** More of the head: what is told to those who show a link to this page. */
  readonly head?: Value;
  /** What stands in the search field. */
  readonly search?: string;
}

const kite = raw(
  '<svg class="kite" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false">' +
    '<path fill="currentColor" d="M12 1v16.5L4.5 9z"/><path fill="currentColor" opacity=".45" d="M12 1v16.5L19.5 9z"/>' +
    '<path fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" d="M12 17.5c0 2.6 2.4 2.4 2.4 5.3"/></svg>',
);

export function renderPage({ title, crumbs, body, foot, wide, styles, scripts, head, search }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="same-origin">
<title>${title} · Kitemirror</title>
<link rel="icon" type="image/svg+xml" href="${assets}icon.svg">
${['site.css', ...(styles ?? [])].map((name) => html`<link rel="stylesheet" href="${assets}${name}">\n`)}${[
  'site.js',
  ...(scripts ?? []),
].map((name) => html`<script type="module" src="${assets}${name}"></script>\n`)}${siteModules.map(
  (name) => html`<link rel="modulepreload" href="${assets}${name}">\n`,
)}${head ?? null}</head>
<body${wide === true && raw(' class="wide"')}>
<a class="skip" href="#content">Skip to content</a>
<header class="top">
<a class="brand" href="/">${kite}<span>Kitemirror</span></a>
${crumbs.length > 0 && trail(crumbs)}
<form class="find" role="search" action="/-/search" method="get"><input type="search" name="q" value="${search ?? ''}" aria-label="Search builds, files and failures" placeholder="Search" maxlength="200" autocomplete="off" spellcheck="false"><kbd aria-hidden="true">/</kbd></form>
${getEnvironmentData(accounts) === true && raw('<a class="account" href="/-/auth/">Account</a>\n')}</header>
<main id="content">
${body}
</main>
<footer>${foot ?? html`A mirror of Buildkite builds.`} <button class="plain" type="button" data-keys hidden>Keys</button></footer>
</body>
</html>
`.text;
}

function trail(crumbs: readonly Crumb[]): Html {
  const items = crumbs.map(
    ({ name, href }, index) =>
      html`<li><a href="${href}"${index === crumbs.length - 1 && raw(' aria-current="page"')}><bdi>${name}</bdi></a></li>`,
  );
  return html`<nav class="trail" aria-label="Breadcrumb"><ol>${items}</ol></nav>`;
}
