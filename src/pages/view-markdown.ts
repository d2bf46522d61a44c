/**
 * Markdown as a page. Raw HTML in it is text, links lead to the artifacts beside it or out by https, pictures are the
 * artifacts': markdown-it builds all markup from its own tokens, and nothing of the file becomes markup by itself.
 */
import MarkdownIt from 'markdown-it';
import { escape } from '../escape.ts';
import { type Html, html, raw } from './html.ts';

/** Of elements within elements; a browser would take more, a reader would not. */
const deepest = 40;

const markdown = new MarkdownIt('default', { html: false, linkify: true, maxNesting: deepest });
markdown.validateLink = (url) => isOutward(url) || isBeside(url);

/** An address that is longer is found later, when what is left of its line is text. */
const longestAddress = 2048;
const { linkify } = markdown;
const matchAtStart = linkify.matchAtStart.bind(linkify);
/** It is asked at each `://`, and looks through all that follows without a space: of many in a row that would be their square. */
linkify.matchAtStart = (text) => {
  const link = matchAtStart(text.slice(0, longestAddress + 1));
  return link === null || link.lastIndex > longestAddress ? null : link;
};

/** Headings of the file are below the page's own. */
markdown.core.ruler.push('headings', ({ tokens }) => {
  for (const token of tokens) {
    const level = /^h([1-5])$/.exec(token.tag)?.[1];
    if (level !== undefined) token.tag = `h${Number(level) + 1}`;
  }
});

markdown.renderer.rules['link_open'] = (tokens, index, options, _environment, renderer) => {
  const token = tokens[index];
  const href = token?.attrGet('href');
  if (token !== undefined && typeof href === 'string' && isOutward(href)) token.attrSet('rel', 'noreferrer noopener');
  else if (token !== undefined && typeof href === 'string') token.attrSet('href', shown(href));
  return renderer.renderToken(tokens, index, options);
};

/** The page may load pictures from the mirror alone: others become links. */
const ownImage = markdown.renderer.rules['image'];
markdown.renderer.rules['image'] = (tokens, index, options, environment, renderer) => {
  const token = tokens[index];
  const source = String(token?.attrGet('src') ?? '');
  if (isBeside(source) && ownImage !== undefined) {
    token?.attrSet('loading', 'lazy');
    return ownImage(tokens, index, options, environment, renderer);
  }
  return html`<a rel="noreferrer noopener" href="${source}">${token?.content ?? source}</a>`.text;
};

export function renderMarkdown(text: string): Html {
  // Cleaned at the end: the file's own entities and percent signs become characters on the way.
  const markup = markdown
    .render(text)
    .toWellFormed()
    .replaceAll(unseen, (character) => escape(character));
  return html`<article class="card prose">${raw(markup)}</article>`;
}

/** What does not show, or turns the direction of the text around it. */
const unseen = /[\p{Cc}\u202a-\u202e\u2066-\u2069\ufeff]/gu;

function isOutward(url: string): boolean {
  return /^https:\/\/[^/\\]/i.test(url);
}

/** Relative, within the same folder or around it: no scheme, no host, no address of the mirror's own. */
function isBeside(url: string): boolean {
  return url !== '' && !/^([a-z][a-z\d+.-]*:|[/\\])/i.test(url);
}

/** Another Markdown file is read as this one is. */
function shown(href: string): string {
  return /^[^?#]+\.(md|markdown)(#.*)?$/i.test(href) ? href.replace(/(#.*)?$/, (hash) => `?view${hash}`) : href;
}
