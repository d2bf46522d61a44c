/**
 * Filter as you type. What is on the page is hidden and shown; where the page holds a part only (`data-more` of the
 * field's form), the form's own address is asked, as it would be without a script.
 */
import { loadListing, note } from './load.js';

const askAfterMs = 120;

export function startFilters() {
  const fields = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll('input[data-filter]'));
  for (const field of fields) {
    const list = document.getElementById(field.dataset['filter'] ?? '');
    if (list === null) continue;
    const asks = field.form?.dataset['more'] !== undefined;
    field.addEventListener('input', asks ? asking(field, list) : () => hideOthers(list, field.value));
  }
}

/**
 * @param {HTMLElement} list
 * @param {string} text
 */
function hideOthers(list, text) {
  const wanted = text.trim().toLowerCase();
  const leaves = /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll('[data-path], tbody > tr, :scope > li'));
  for (const leaf of leaves) {
    const name = leaf.dataset['path'] ?? leaf.textContent ?? '';
    leaf.hidden = wanted !== '' && !name.toLowerCase().includes(wanted);
  }
  // A folder shows while anything in it does; a search opens it, and its end leaves it as it was.
  for (const folder of [...list.querySelectorAll('details')].toReversed()) {
    const found = folder.querySelector('[data-path]:not([hidden])') !== null;
    const item = folder.parentElement;
    if (item !== null) item.hidden = wanted !== '' && !found;
    folder.dataset['was'] ??= String(folder.open);
    folder.open = wanted === '' ? folder.dataset['was'] === 'true' : found;
    if (wanted === '') delete folder.dataset['was'];
  }
}

/**
 * @param {HTMLInputElement} field
 * @param {HTMLElement} list
 */
function asking(field, list) {
  const found = document.createElement('ul');
  found.className = 'tree found';
  list.after(found);
  let round = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return () => {
    round += 1;
    const mine = round;
    clearTimeout(timer);
    const isEmpty = field.value.trim() === '';
    list.hidden = !isEmpty;
    if (isEmpty) return found.replaceChildren();
    timer = setTimeout(async () => {
      const lines = await ask(/** @type {HTMLFormElement} */ (field.form));
      if (mine === round) found.replaceChildren(...lines);
    }, askAfterMs);
  };
}

/** @param {HTMLFormElement} form @returns {Promise<Node[]>} */
async function ask(form) {
  const query = new URLSearchParams(/** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form))));
  try {
    const lines = await loadListing(`${form.action}?${query}`);
    return lines.length === 0 ? [note('No path has this in it.')] : lines;
  } catch {
    // The form's button leads to the same address, whose own error is then shown.
    return [note('These files could not be searched.')];
  }
}
