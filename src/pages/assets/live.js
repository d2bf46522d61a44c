/** Keeps the page of a running job's log up to date for as long as somebody looks at it; says when the job has ended. */

const everyMs = 3000;
const seldomMs = 30_000;

const [log, told, live, whole] = ['log', 'told', 'live', 'whole'].map((id) => document.getElementById(id));
if (log != null && told != null && live != null && whole != null) void follow(log, told, live, whole);

/** @param {HTMLElement} log @param {HTMLElement} told @param {HTMLElement} live @param {HTMLElement} whole */
async function follow(log, told, live, whole) {
  if (location.hash === '') toEnd();
  for (let waitMs = everyMs; whole.hidden; ) {
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    await untilVisible();
    try {
      const state = await ask(log.dataset['read'] ?? '');
      told.textContent = state.told;
      if (state.lines !== null) show(log, state.lines);
      if (state.read_at !== null) log.dataset['read'] = state.read_at;
      if (state.ended) tellEnd(live);
      whole.hidden = !state.whole;
      waitMs = everyMs;
    } catch (fault) {
      told.textContent = `The mirror does not answer (${fault instanceof Error ? fault.message : String(fault)}); asking again`;
      waitMs = Math.min(seldomMs, waitMs * 2);
    }
  }
}

/**
 * @param {string} after when what is shown was read
 * @returns {Promise<{ ended: boolean, whole: boolean, told: string, read_at: string | null, lines: string | null }>}
 */
async function ask(after) {
  const answer = await fetch(`./?live&format=json&after=${encodeURIComponent(after)}`);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

/** A page in the background asks for nothing. @returns {Promise<void>} */
function untilVisible() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener('visibilitychange', () => resolve(), { once: true }));
}

/**
 * Groups stay as the reader left them, and who reads at the end stays there.
 * @param {HTMLElement} log @param {string} lines HTML that the mirror made of the log: escaped, as in the whole log's page
 */
function show(log, lines) {
  const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 60;
  const open = new Map(groupsOf(log).map((group) => [titleOf(group), group.open]));
  log.innerHTML = lines;
  for (const group of groupsOf(log).slice(0, -1)) group.open = open.get(titleOf(group)) ?? group.open;
  if (isAtEnd) toEnd();
}

/** @param {HTMLElement} log */
function groupsOf(log) {
  return [...log.querySelectorAll('details')];
}

/** @param {HTMLDetailsElement} group */
function titleOf(group) {
  return group.querySelector('summary .line > span')?.textContent ?? '';
}

/** @param {HTMLElement} live */
function tellEnd(live) {
  if (live.textContent === 'ended') return;
  live.innerHTML = '<span class="pill idle">ended</span>';
}

function toEnd() {
  scrollTo(0, document.documentElement.scrollHeight);
}
