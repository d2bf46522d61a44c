/** HTML by a tagged template that escapes whatever is put into it. Only markup made here passes as it is. */

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

const needsCare = /[&<>"'\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\ufeff]/u;
const special: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * For text and for quoted attributes alike. Control characters become their pictures (␀ ␛ …); what would turn the
 * direction of the text around it becomes �, as an isolating element alone can be left by one character too many.
 */
export function escape(text: string): string {
  if (!needsCare.test(text)) return text;
  return text
    .toWellFormed()
    .replaceAll(/[&<>"']/g, (character) => special[character] ?? '')
    .replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069\ufeff]/gu, picture);
}

function picture(character: string): string {
  if (character === '\n' || character === '\t') return character;
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}
