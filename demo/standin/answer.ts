/** An answer before it is sent, and the ones that Buildkite's API gives when it has nothing better to say. */
import type { Bytes } from './bytes.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Null: none, as for HEAD. */
  readonly body: string | Bytes | null;
}

const jsonHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'max-age=0, private, must-revalidate',
  vary: 'Accept',
};

/** @param text rendered JSON */
export function rawJson(text: string, headers: Record<string, string> = {}): Answer {
  return { status: 200, headers: { ...jsonHeaders, ...headers }, body: text };
}

export function json(body: unknown, headers: Record<string, string> = {}): Answer {
  return rawJson(JSON.stringify(body), headers);
}

export function refusal(status: number, message: string, more: Record<string, unknown> = {}): Answer {
  return { status, headers: jsonHeaders, body: JSON.stringify({ message, ...more }) };
}

export const notFound = refusal(404, 'Not Found');
export const noJob = refusal(404, 'No job found');

/** As S3 words its errors. */
export function storageError(status: number, code: string, message: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { 'content-type': 'application/xml', server: 'AmazonS3' }, body };
}

const defaultPageSize = 30;
const maxPageSize = 100;

export interface Page {
  readonly number: number;
  readonly size: number;
  /** Items before it. */
  readonly start: number;
}

/** `page` from 1; `per_page` 30 unless told, silently at most 100. */
export function pageOf(query: URLSearchParams): Page {
  const number = positive(query.get('page'), 1);
  const size = pageSize(query);
  return { number, size, start: (number - 1) * size };
}

export function pageSize(query: URLSearchParams): number {
  return Math.min(positive(query.get('per_page'), defaultPageSize), maxPageSize);
}

function positive(text: string | null, fallback: number): number {
  return text !== null && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : fallback;
}

/** The `Link` header of a page; none where there is one page only. */
export function pageLinks(url: string, query: URLSearchParams, page: Page, total: number): Record<string, string> {
  const last = Math.max(1, Math.ceil(total / page.size));
  const link = (number: number, rel: string): string => {
    const next = new URLSearchParams(query);
    next.set('page', String(number));
    next.set('per_page', String(page.size));
    return `<${url}?${next.toString()}>; rel="${rel}"`;
  };
  const links: string[] = [];
  if (page.number > 1) links.push(link(1, 'first'), link(page.number - 1, 'prev'));
  if (page.number < last) links.push(link(page.number + 1, 'next'), link(last, 'last'));
  return links.length === 0 ? {} : { link: links.join(', ') };
}
