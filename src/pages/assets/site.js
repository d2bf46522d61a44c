/**
 * What the pages gain from a script; each of them works without. Finds its work by attributes:
 *   time[datetime]          said relative to now, the instant itself in its title
 *   pre.copy                a button that copies the text
 *   input[data-filter=ID]   hides what of the list with that id does not match, as one types
 *   a.account               says who is signed in
 *   details[data-load=URL]  takes its contents from a folder's listing when it is opened
 * Keys: `/` search · j k to move in a list, Enter to open · n p next and previous · ? says so, and turns them off.
 */
import { tellAccount } from './account.js';
import { startFilters } from './filter.js';
import { startKeys } from './keys.js';
import { startLoading } from './load.js';

const units = /** @type {const} */ ([
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]);
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

/** @param {number} seconds from then until now */
function ago(seconds) {
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relative.format(-Math.round(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? 'just now' : relative.format(-Math.round(seconds), 'second');
}

function tellTimes() {
  for (const time of document.querySelectorAll('time')) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    time.dataset['instant'] ??= time.textContent ?? '';
    const text = ago((Date.now() - at) / 1000);
    // A fact is read for its instant, a list for its order.
    time.textContent = time.closest('.facts') === null ? text : `${time.dataset['instant']}\n${text}`;
  }
}

function offerCopies() {
  for (const block of document.querySelectorAll('pre.copy')) {
    const text = block.textContent ?? '';
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', () => {
      copyText(text).then(
        () => (button.textContent = 'Copied'),
        () => (button.textContent = 'Not copied'),
      );
      setTimeout(() => (button.textContent = 'Copy'), 1500);
    });
    block.append(button);
  }
}

/** @param {string} text */
async function copyText(text) {
  // Only a secure origin has a clipboard; a mirror in a LAN may have none.
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (!isCopied) throw new Error('nothing was copied');
}

tellTimes();
setInterval(tellTimes, 30_000);
offerCopies();
startFilters();
startLoading();
startKeys();
void tellAccount();
