/** Keys that work on every page, and the dialog that tells them. Turned off, they stay off in this browser. */

const storageKey = 'kitemirror.keys';
const help = [
  ['/', 'search'],
  ['j k', 'next and previous line of a list'],
  ['Enter', 'open the chosen line'],
  ['n p', 'next and previous build or page'],
  ['?', 'this help'],
];

let enabled = localStorage.getItem(storageKey) !== 'off';

/** @returns {HTMLElement[]} the lines that can be chosen: those that lead somewhere */
function linesOf() {
  const all = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll('main .rows > li, main tbody > tr, main .tree li.leaf')
  );
  return [...all].filter((line) => line.checkVisibility() && line.querySelector('a[href]') !== null);
}

/** @param {number} step */
function choose(step) {
  const lines = linesOf();
  if (lines.length === 0) return;
  const at = lines.findIndex((line) => line.classList.contains('chosen'));
  const next = at === -1 ? (step > 0 ? 0 : lines.length - 1) : Math.min(lines.length - 1, Math.max(0, at + step));
  lines[at]?.classList.remove('chosen');
  const line = lines[next];
  line?.classList.add('chosen');
  line?.querySelector('a')?.focus();
  line?.scrollIntoView({ block: 'nearest' });
}

/** @param {string} rel */
function follow(rel) {
  const link = document.querySelector(`a[rel="${rel}"]`);
  if (link instanceof HTMLAnchorElement) link.click();
}

function tellHelp() {
  const dialog = document.createElement('dialog');
  dialog.className = 'card help';
  dialog.setAttribute('aria-label', 'Keys');
  const list = document.createElement('dl');
  for (const [keys, meaning] of help) {
    const row = document.createElement('div');
    const [term, text] = [document.createElement('dt'), document.createElement('dd')];
    for (const key of (keys ?? '').split(' '))
      term.append(Object.assign(document.createElement('kbd'), { textContent: key }), ' ');
    text.textContent = meaning ?? '';
    row.append(term, text);
    list.append(row);
  }
  const label = document.createElement('label');
  const box = Object.assign(document.createElement('input'), { type: 'checkbox', checked: enabled });
  box.addEventListener('change', () => {
    enabled = box.checked;
    localStorage.setItem(storageKey, enabled ? 'on' : 'off');
  });
  label.append(box, ' Single keys do this');
  const close = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Close' });
  close.addEventListener('click', () => dialog.close());
  dialog.append(list, label, close);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** @type {Record<string, () => void>} */
const actions = {
  '/': () => /** @type {HTMLElement | null} */ (document.querySelector('input[type="search"]'))?.focus(),
  j: () => choose(1),
  k: () => choose(-1),
  n: () => follow('next'),
  p: () => follow('prev'),
  '?': tellHelp,
};

export function startKeys() {
  for (const button of document.querySelectorAll('[data-keys]')) {
    button.removeAttribute('hidden');
    button.addEventListener('click', tellHelp);
  }
  document.addEventListener('keydown', (event) => {
    const { target } = event;
    const types =
      target instanceof HTMLElement &&
      (target.isContentEditable || target.closest('input, select, textarea, dialog') !== null);
    if (event.key === 'Escape' && target instanceof HTMLInputElement) target.blur();
    if (!enabled || types || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const action = actions[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
}
