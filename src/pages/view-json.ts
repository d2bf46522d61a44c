/** JSON as a tree that folds without a script. Numbers are shown as they were written. */
import { formatCount } from './format.ts';
import { type Html, html, raw } from './html.ts';

const mostNodes = 20_000;
const deepest = 100;
const openedDepth = 2;
const longestText = 20_000;

/** A number in the digits of the file: 64-bit ids do not survive being parsed. */
class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

interface Budget {
  left: number;
}

/** @returns null for what is no JSON */
export function renderJson(text: string): Html | null {
  let value: unknown;
  try {
    value = JSON.parse(text, (_key, parsed: unknown, context?: { source?: string }) =>
      typeof parsed === 'number' && context?.source !== undefined ? new Digits(context.source) : parsed,
    );
  } catch {
    return null;
  }
  const budget: Budget = { left: mostNodes };
  const tree = node(null, value, 0, budget);
  const cut = budget.left <= 0;
  return html`${cut && html`<p class="notice">Only the first ${formatCount(mostNodes)} values are shown. The raw file has all.</p>`}<div class="card json"><ul>${tree}</ul></div>`;
}

function node(key: string | null, value: unknown, depth: number, budget: Budget): Html | null {
  if (budget.left <= 0) return null;
  budget.left -= 1;
  const name = key !== null && html`<span class="key">${clip(key)}</span>: `;
  if (typeof value !== 'object' || value === null || value instanceof Digits)
    return html`<li>${name}${scalar(value)}</li>`;
  const isList = Array.isArray(value);
  const entries: [string, unknown][] = Object.entries(value);
  const count = `${isList ? '[' : '{'}${formatCount(entries.length)}${isList ? ']' : '}'}`;
  if (entries.length === 0 || depth >= deepest)
    return html`<li>${name}<span class="quiet">${entries.length === 0 ? (isList ? '[]' : '{}') : `${count} …`}</span></li>`;
  const children: Html[] = [];
  for (const [childKey, child] of entries) {
    const shown = node(childKey, child, depth + 1, budget);
    if (shown === null) break;
    children.push(shown);
  }
  return html`<li><details${depth < openedDepth && raw(' open')}><summary>${name}<span class="quiet">${count}</span></summary><ul>${children}</ul></details></li>`;
}

function scalar(value: unknown): Html {
  if (typeof value === 'string') return html`<span class="string">"${clip(value)}"</span>`;
  return html`<span class="value">${value instanceof Digits ? clip(value.text) : String(value)}</span>`;
}

function clip(text: string): string {
  return text.length <= longestText
    ? text
    : `${text.slice(0, longestText)} … ${text.length - longestText} more characters`;
}
