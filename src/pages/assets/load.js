/** Folders of a large tree come when they are opened: their lines are taken from the folder's own listing. */

export function startLoading() {
  document.addEventListener(
    'toggle',
    (event) => {
      const { target } = event;
      if (target instanceof HTMLDetailsElement && target.open) void fill(target);
    },
    true,
  );
  offer(document.body);
}

/** A line that leads to a listing becomes a folder that opens in place. @param {ParentNode} within */
function offer(within) {
  for (const line of within.querySelectorAll('li[data-load]')) {
    const link = line.querySelector('a');
    if (link === null) continue;
    const [details, summary, list] = ['details', 'summary', 'ul'].map((name) => document.createElement(name));
    if (details === undefined || summary === undefined || list === undefined) continue;
    const name = document.createElement('bdi');
    name.className = 'mono';
    name.textContent = link.textContent;
    const side = document.createElement('span');
    side.className = 'side';
    side.append(Object.assign(document.createElement('a'), { href: listingOf(link.href), textContent: 'list' }));
    const about = line.querySelector('.count');
    summary.append(name, ' ', ...(about === null ? [] : [about]));
    details.append(summary, list);
    details.dataset['load'] = listingOf(link.href);
    line.removeAttribute('data-load');
    line.className = '';
    line.replaceChildren(side, details);
  }
}

/** A folder's address may show a page of its own. @param {string} address */
function listingOf(address) {
  const url = new URL(address);
  if (url.search === '') url.search = '?list';
  return url.href;
}

/** @param {HTMLDetailsElement} details */
async function fill(details) {
  const { load } = details.dataset;
  const list = details.querySelector('ul');
  if (load === undefined || list === null) return;
  delete details.dataset['load'];
  const wait = note('Loading …');
  list.replaceChildren(wait);
  try {
    list.replaceChildren(...(await loadListing(load)));
    for (const folder of /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll('li.folder[data-path]'))) {
      folder.dataset['load'] = '';
    }
    offer(list);
  } catch {
    // Nothing is lost: the link beside leads to the same listing, whose own error is then shown.
    wait.textContent = 'This folder could not be loaded.';
    details.dataset['load'] = load;
  }
}

/** @param {string} text @returns a line that is no file's */
export function note(text) {
  return Object.assign(document.createElement('li'), { className: 'quiet', textContent: text });
}

/**
 * @param {string} address of a folder's listing
 * @returns {Promise<Node[]>} its lines; where they are a part, the last leads on
 */
export async function loadListing(address) {
  const response = await fetch(address, { headers: { Accept: 'text/html' } });
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  for (const link of page.querySelectorAll('a[href]')) {
    link.setAttribute('href', new URL(link.getAttribute('href') ?? '', response.url).href);
  }
  const lines = [...page.querySelectorAll('#listing > li:not([data-up])')];
  const next = /** @type {HTMLAnchorElement | null} */ (page.querySelector('a[rel="next"]'));
  if (next === null) return lines;
  // Without its `rel`, which would make it the page's own for the key `n`.
  const link = Object.assign(document.createElement('a'), { href: next.href, textContent: next.textContent });
  const rest = Object.assign(document.createElement('li'), { className: 'leaf folder' });
  rest.append(link);
  return [...lines, rest];
}
