/** What the page of a log runs: lines by their address, folding, times, search by keyboard, and long logs as one scrolls. */
import type { LogIndex } from '../index-format.ts';
import { farLog } from './far-log.ts';
import type { LogView } from './log-view.ts';
import { installSearch } from './search.ts';
import { hashOf, type Selection, selectionAfter, selectionOf } from './selection.ts';
import { wholeLog } from './whole-log.ts';

const log = document.getElementById('log');
const bar = document.getElementById('logbar');
if (log !== null && bar !== null) await install(log, bar);

async function install(log: HTMLElement, bar: HTMLElement): Promise<void> {
  const view = log.dataset['far'] === undefined ? wholeLog(log) : await openFar(log, bar);
  if (view === null) return;
  if (log.dataset['far'] !== undefined) stayHere(bar);
  installSelection(log, view);
  installTools(log, bar, view);
  const form = document.getElementById('search');
  if (form instanceof HTMLFormElement) installSearch(form, log, view);
  installKeys(log, bar);
  log.dataset['ready'] = '1';
}

/** Every line is here: the other pages, to which buttons lead, are for who has no script. */
function stayHere(bar: HTMLElement): void {
  for (const link of bar.querySelectorAll<HTMLAnchorElement>('a[href*="#L"]')) link.setAttribute('href', link.hash);
}

async function openFar(log: HTMLElement, bar: HTMLElement): Promise<LogView | null> {
  const say = (message: string): void => {
    const note = document.createElement('span');
    note.className = 'found';
    note.role = 'alert';
    note.textContent = message;
    bar.append(note);
  };
  try {
    const answer = await fetch('./index.json');
    if (!answer.ok) throw new Error(`its index was answered with ${answer.status}`);
    // Indexes from before there were emoji in them have none.
    const index = (await answer.json()) as Omit<LogIndex, 'emoji'> & Partial<LogIndex>;
    return farLog(log, { ...index, emoji: index.emoji ?? {} }, say);
  } catch (fault) {
    say(`Only the beginning of this log can be shown: ${fault instanceof Error ? fault.message : String(fault)}`);
    return null;
  }
}

function installSelection(log: HTMLElement, view: LogView): void {
  let selected: Selection | null = null;
  const follow = (focus: boolean): void => {
    selected = selectionOf(location.hash);
    if (selected !== null) view.show(selected, focus);
  };
  addEventListener('hashchange', () => follow(true));
  log.addEventListener('click', (event) => {
    const next = selectionAfter(event, selected);
    if (next === null || !event.shiftKey) return;
    event.preventDefault();
    history.replaceState(null, '', hashOf(next));
    follow(false);
  });
  follow(false);
}

function installTools(log: HTMLElement, bar: HTMLElement, view: LogView): void {
  const before = bar.querySelector('form');
  const add = (text: string, onClick: (button: HTMLButtonElement) => void): HTMLButtonElement => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.addEventListener('click', () => onClick(button));
    bar.insertBefore(button, before);
    return button;
  };
  const times = add('Times', (button) => {
    const isOn = log.classList.toggle('times');
    button.ariaPressed = String(isOn);
  });
  times.ariaPressed = 'false';
  times.title = 'When each line was printed, in UTC (t)';
  times.dataset['key'] = 't';
  if (!view.hasGroups) return;
  let isFolded = false;
  const fold = add('Fold all', (button) => {
    isFolded = !isFolded;
    view.foldAll(isFolded);
    button.textContent = isFolded ? 'Unfold all' : 'Fold all';
  });
  fold.dataset['key'] = 'g';
  fold.title = 'Fold or unfold all groups (g)';
}

/** Where src/pages/assets/keys.js keeps that single keys are to do nothing. */
const keysOff = (): boolean => localStorage.getItem('kitemirror.keys') === 'off';

/** Before the keys of all pages: `/` the search, `f` the failing line, `e` the last one, `t` times, `g` groups. */
function installKeys(log: HTMLElement, bar: HTMLElement): void {
  addEventListener(
    'keydown',
    (event) => {
      const isTyping = event.target instanceof Element && event.target.closest('input, textarea, dialog') !== null;
      if (isTyping || keysOff() || event.ctrlKey || event.metaKey || event.altKey) return;
      const search = bar.querySelector('input');
      if (event.key === '/' && search !== null) {
        event.preventDefault();
        search.focus();
        search.select();
      } else if (event.key === 'f') document.getElementById('failing')?.click();
      else if (event.key === 'e') document.getElementById('last')?.click();
      else bar.querySelector<HTMLElement>(`[data-key="${CSS.escape(event.key)}"]`)?.click();
    },
    true,
  );
  if (selectionOf(location.hash) === null && log.dataset['far'] !== undefined) log.focus({ preventScroll: true });
}
