/** Search over the whole log: the gateway looks through it piece by piece, and what it finds is gone through one by one. */
import { inSmallLetters } from '../../letters.ts';
import type { LogView } from './log-view.ts';

interface Piece {
  readonly matches: readonly { readonly line: number }[];
  /** Where to go on; null at the end. */
  readonly next: number | null;
  readonly lines: number;
}

/** More than this nobody goes through one by one. */
const mostMatches = 5000;

export function installSearch(form: HTMLFormElement, log: HTMLElement, view: LogView): void {
  const input = form.querySelector('input');
  if (input === null) return;
  const bar = document.createElement('div');
  bar.className = 'found';
  bar.hidden = true;
  bar.innerHTML =
    '<span role="status"></span><button type="button" title="Shift+Enter">Previous</button><button type="button" title="Enter">Next</button><a></a><button type="button">Close</button>';
  form.parentElement?.append(bar);
  const [status, previous, next, list, close] = bar.children as unknown as [
    HTMLElement,
    HTMLButtonElement,
    HTMLButtonElement,
    HTMLAnchorElement,
    HTMLButtonElement,
  ];
  let running: AbortController | null = null;
  let query = '';
  let matches: number[] = [];
  let at = -1;

  const say = (searchedTo: number | null, lines: number): void => {
    const count = `${matches.length.toLocaleString('en')}${matches.length >= mostMatches ? '+' : ''}`;
    const where = at < 0 ? '' : `${(at + 1).toLocaleString('en')} of `;
    const progress = searchedTo === null ? '' : ` · searched ${Math.floor((searchedTo / Math.max(1, lines)) * 100)} %`;
    status.textContent =
      matches.length === 0 && searchedTo === null ? 'Nothing found' : `${where}${count} lines${progress}`;
    previous.disabled = next.disabled = matches.length === 0;
  };
  const go = (step: number): void => {
    if (matches.length === 0) return;
    at = (at + step + matches.length) % matches.length;
    const line = matches[at] ?? 1;
    view.show({ from: line, to: line }, false);
    say(null, 0);
  };
  const stop = (): void => {
    running?.abort();
    running = null;
    [query, matches, at, bar.hidden] = ['', [], -1, true];
    highlight(log, '');
  };
  const search = async (signal: AbortSignal): Promise<void> => {
    for (let from: number | null = 1; from !== null && matches.length < mostMatches; ) {
      const answer = await fetch(`./?q=${encodeURIComponent(query)}&from=${from}&format=json`, { signal });
      // Many search now, or the gateway begins anew.
      if (answer.status === 429 || answer.status === 503) {
        status.textContent = 'Searching… others do, too';
        await new Promise((resolve) => setTimeout(resolve, waitMs(answer.headers.get('Retry-After'))));
        signal.throwIfAborted();
        continue;
      }
      const piece = (await answer.json()) as Piece & { message?: string };
      if (!answer.ok) throw new Error(piece.message ?? `The search was answered with ${answer.status}.`);
      const isFirst = matches.length === 0;
      matches.push(...piece.matches.map(({ line }) => line));
      from = piece.next;
      if (isFirst) go(1);
      say(from, piece.lines);
    }
    say(null, 0);
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value === query) return go(1);
    stop();
    query = input.value;
    if (query === '') return;
    bar.hidden = false;
    list.href = `./?q=${encodeURIComponent(query)}`;
    list.textContent = 'as a list';
    status.textContent = 'Searching…';
    highlight(log, query);
    const controller = new AbortController();
    running = controller;
    search(controller.signal).catch((fault: unknown) => {
      if (!controller.signal.aborted) status.textContent = fault instanceof Error ? fault.message : String(fault);
    });
  });
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.shiftKey && input.value === query) {
      event.preventDefault();
      go(-1);
    } else if (event.key === 'Escape') stop();
  });
  previous.addEventListener('click', () => go(-1));
  next.addEventListener('click', () => go(1));
  close.addEventListener('click', () => {
    stop();
    input.value = '';
    input.focus();
  });
  view.onLines(() => highlight(log, query));
}

/** @param seconds as the answer tells them; a date, which ours never are, counts as none */
function waitMs(seconds: string | null): number {
  return Math.min(60, Math.max(1, Number(seconds ?? 1) || 1)) * 1000;
}

/** Marks what is found in the lines that are in the page, without touching them. */
function highlight(log: HTMLElement, query: string): void {
  if (!('highlights' in CSS)) return;
  const ranges: Range[] = [];
  const wanted = inSmallLetters(query);
  if (wanted !== '') {
    const walker = document.createTreeWalker(log, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null && ranges.length < 2000; node = walker.nextNode()) {
      const text = inSmallLetters(node.textContent ?? '');
      if (node.parentElement?.parentElement?.matches('.line') === true && node.parentElement.matches('a')) continue;
      for (let found = text.indexOf(wanted); found !== -1; found = text.indexOf(wanted, found + wanted.length)) {
        const range = new Range();
        range.setStart(node, found);
        range.setEnd(node, found + wanted.length);
        ranges.push(range);
      }
    }
  }
  CSS.highlights.set('found', new Highlight(...ranges));
}
