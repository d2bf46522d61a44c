/** What of a build's artifacts people open first: its reports, its tests, its pictures. */
import type { ViewEntry } from '../model.ts';
import { findHtmlReports } from '../reports/html-reports.ts';
import { mayBeJunit } from '../reports/junit.ts';
import { kindOf } from '../reports/kind.ts';
import { counted } from './format.ts';
import { type Html, html } from './html.ts';
import { pathHref } from './links.ts';

/** Of the merged view, from the build's page. `?open` leads to the content origin, or to the inert file where there is none. */
export function renderReports(merged: readonly ViewEntry[]): Html | null {
  const paths = merged.map(({ path }) => path);
  const reports = findHtmlReports(paths);
  const hasTests = paths.some(mayBeJunit);
  const pictures = paths.filter((path) => kindOf(path) === 'image').length;
  if (reports.length === 0 && !hasTests && pictures === 0) return null;
  return html`<nav class="actions" aria-label="Reports">${reports.map(
    ({ title, path }) =>
      html`<a class="button" href="artifacts/${pathHref(path)}?open" title="${path === '' ? title : path}">Open report: <bdi>${title}</bdi></a>`,
  )}${hasTests && html`<a class="button" href="artifacts/?tests">Tests</a>`}${
    pictures > 0 && html`<a class="button" href="artifacts/?gallery">${counted(pictures, 'picture')}</a>`
  }</nav>`;
}
