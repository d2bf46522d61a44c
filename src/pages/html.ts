/** HTML by a tagged template that escapes whatever is put into it. Only markup made here passes as it is. */
import { escape } from '../escape.ts';

export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** `null`, `undefined` and `false` print nothing; lists print their parts one after the other. */
export type Value = string | number | Html | null | undefined | false | readonly Value[];

export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  let text = strings[0] ?? '';
  for (const [index, value] of values.entries()) text += print(value) + (strings[index + 1] ?? '');
  return new Html(text);
}

/** Markup of our own. Never for text that came from anywhere else. */
export function raw(markup: string): Html {
  return new Html(markup);
}

function print(value: Value): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'string') return escape(value);
  if (value === null || value === undefined || value === false) return '';
  if (typeof value === 'number') return String(value);
  return value.map(print).join('');
}
