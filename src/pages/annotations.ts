/**
 * What a build's steps said of it. Buildkite hands their bodies out as HTML that a step wrote, so it is read by a parser
 * of the HTML standard and written anew from an allow-list: elements and attributes that are not in it never come out.
 * @see https://buildkite.com/docs/agent/cli/reference/annotate
 */
import { type DefaultTreeAdapterTypes, defaultTreeAdapter, parseFragment } from 'parse5';
import type { AnnotationFacts, JobSummary } from '../model.ts';
import { counted } from './format.ts';
import { type Html, html, raw, type Value } from './html.ts';
import { outwardHref, pathHref } from './links.ts';
import { nameHtml } from './names.ts';

type Node = DefaultTreeAdapterTypes.ChildNode;
type Element = DefaultTreeAdapterTypes.Element;

/** Of annotations on a page, of characters of one, of elements within elements. */
const [shownAnnotations, longest, deepest] = [50, 128 * 1024, 40];
/** Of elements on a page: a few tags that overlap can mean many elements. */
const mostElements = 10_000;
const tones = new Map([
  ['success', 'good'],
  ['warning', 'busy'],
  ['error', 'bad'],
]);

export function renderAnnotations(
  annotations: readonly AnnotationFacts[],
  jobs: readonly JobSummary[],
  upstream: string | null,
): Html | null {
  if (annotations.length === 0) return null;
  const names = new Map(jobs.map((job) => [job.id, job.name ?? job.step_key ?? 'Unnamed job']));
  const budget = { elements: mostElements };
  return html`<h2>Annotations <small>${annotations.length}</small></h2>${annotations
    .slice(0, shownAnnotations)
    .map((annotation) => {
      const job = annotation.job_id === null ? undefined : names.get(annotation.job_id);
      const tone = tones.get(annotation.style ?? '') ?? 'idle';
      return html`<section class="card annotation prose ${tone}" aria-label="${annotation.context ?? 'Annotation'}">${
        job !== undefined && html`<p class="quiet"><a href="#${annotation.job_id}">${nameHtml(job)}</a></p>`
      }${bodyHtml(annotation.body_html ?? '', budget) ?? tooLong(upstream)}</section>`;
    })}${annotations.length > shownAnnotations && html`<p class="quiet">${counted(annotations.length - shownAnnotations, 'more annotation')} in <a href="upstream.json">upstream.json</a>.</p>`}`;
}

function tooLong(upstream: string | null): Html {
  return html`<p class="quiet">Too long to be shown here: it is in <a href="upstream.json">upstream.json</a>${
    upstream !== null && html` and <a rel="noreferrer" href="${upstream}">on Buildkite</a>`
  }.</p>`;
}

class OverBudget extends Error {}

/** @returns null for more than is shown */
function bodyHtml(body: string, budget: { elements: number }): Html | null {
  if (body.length > longest) return null;
  const createElement: typeof defaultTreeAdapter.createElement = (...facts) => {
    budget.elements -= 1;
    if (budget.elements < 0) throw new OverBudget();
    return defaultTreeAdapter.createElement(...facts);
  };
  try {
    const { childNodes } = parseFragment(body, { treeAdapter: { ...defaultTreeAdapter, createElement } });
    return html`${childNodes.map((node) => nodeHtml(node, 0))}`;
  } catch (error) {
    if (error instanceof OverBudget) return null;
    throw error;
  }
}

/** Elements that may stand as they are. Headings are below the page's own. */
const kept = new Set(
  (
    'a b blockquote br code dd del details div dl dt em h3 h4 h5 h6 hr i ins kbd li ol p pre q s samp small span strong sub summary sup' +
    ' table tbody td tfoot th thead tr tt u ul var'
  ).split(' '),
);
const renamed = new Map([
  ['h1', 'h3'],
  ['h2', 'h4'],
]);
/** What these hold is no text to read. */
const dropped = new Set([
  'iframe',
  'math',
  'noembed',
  'noframes',
  'noscript',
  'object',
  'script',
  'select',
  'style',
  'svg',
  'template',
  'textarea',
  'title',
  'xmp',
]);
const empty = new Set(['br', 'hr']);

function nodeHtml(node: Node, depth: number): Value {
  if ('value' in node) return node.nodeName === '#text' ? node.value : null;
  if (!('tagName' in node) || dropped.has(node.tagName) || depth > deepest) return null;
  if (node.tagName === 'img') return pictureHtml(node);
  if (node.tagName === 'input')
    return attribute(node, 'type') === 'checkbox' && (attribute(node, 'checked') === null ? '☐ ' : '☑ ');
  const inner = node.childNodes.map((child) => nodeHtml(child, depth + 1));
  const link = node.tagName === 'a' ? linkAttributes(attribute(node, 'href')) : null;
  if (link === false) return inner;
  const name = renamed.get(node.tagName) ?? node.tagName;
  if (!kept.has(name)) return inner;
  if (empty.has(name)) return raw(`<${name}>`);
  // The name is one of ours now: no text of the annotation's.
  return html`${raw(`<${name}`)}${link ?? attributesHtml(node)}>${inner}${raw(`</${name}>`)}`;
}

function attribute(element: Element, name: string): string | null {
  return element.attrs.find((each) => each.name === name && each.namespace === undefined)?.value ?? null;
}

function attributesHtml(element: Element): Value {
  if (element.tagName === 'details') return attribute(element, 'open') !== null && raw(' open');
  if (element.tagName === 'td' || element.tagName === 'th') {
    const span = attribute(element, 'colspan');
    return span !== null && /^[1-9]\d?$/.test(span) && html` colspan="${span}"`;
  }
  return styleOf(attribute(element, 'class'));
}

/** Out by https, to the build's own artifacts, or to a job of this page. @returns false for what leads nowhere */
function linkAttributes(href: string | null): Html | false {
  const own = artifactHref(href) ?? /^#[0-9a-f-]{36}$/.exec(href ?? '')?.[0] ?? null;
  if (own !== null) return html` href="${own}"`;
  const outward = outwardHref(href);
  return outward !== null && html` rel="noreferrer noopener nofollow ugc" href="${outward}"`;
}

/** `artifact://<path>`, of the merged view. */
function artifactHref(address: string | null): string | null {
  const path = /^artifact:\/\/(?:\.?\/)*(.+)$/i.exec(address ?? '')?.[1];
  if (path === undefined || path.split('/').includes('..')) return null;
  return `artifacts/${pathHref(decoded(path))}`;
}

/** Authors write some paths encoded and some not. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The build's own pictures; those of other hosts would be asked for there, so they are links. Emoji are pictures, too. */
function pictureHtml(element: Element): Value {
  const [source, alternative] = [attribute(element, 'src'), attribute(element, 'alt') ?? ''];
  if (/^:[^\s:]+:$/.test(alternative)) return nameHtml(alternative);
  const own = artifactHref(source);
  if (own !== null) return html`<img src="${own}" alt="${alternative}" loading="lazy">`;
  const outward = outwardHref(source);
  if (outward === null) return html`<bdi>${alternative}</bdi>`;
  return html`<a rel="noreferrer noopener nofollow ugc" href="${outward}"><bdi>${alternative.trim() || 'picture'}</bdi></a>`;
}

/** The colours of a block of terminal output (```` ```term ````), by the class names that Buildkite gives them. */
const styles = new Map([
  ['term-fg1', 'ansi-bold'],
  ['term-fg2', 'ansi-faint'],
  ['term-fg3', 'ansi-italic'],
  ['term-fg4', 'ansi-underline'],
  ...['', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan'].flatMap((name, index): [string, string][] =>
    name === ''
      ? []
      : [
          [`term-fg3${index}`, `ansi-${name}`],
          [`term-fgi9${index}`, `ansi-${name}`],
        ],
  ),
]);

function styleOf(classes: string | null): Value {
  const known = (classes ?? '').split(/\s+/).flatMap((name) => styles.get(name) ?? []);
  return known.length > 0 && html` class="${known.join(' ')}"`;
}
