/** How soon a page is there in a browser that has nothing cached, on a machine that may be busy with other things. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';

const targetMs = 300;
/** What a page may take beyond a small one on a machine where even that takes long: the rest is the browser's own start. */
const beyondSmallMs = 150;
const mostRounds = 12;

/** ms until the first of it is painted. A page may be loaded before that, so it is waited for. */
export async function firstPaint(page: Page): Promise<number> {
  return page.evaluate<number>(`new Promise((tell) => {
    const see = (paints) => paints.getEntriesByName('first-contentful-paint').forEach(({ startTime }) => tell(startTime));
    new PerformanceObserver(see).observe({ type: 'paint', buffered: true });
  })`);
}

/**
 * The best of some loads, each beside one of a small page.
 * @param load loads the page in a new context @returns ms until it is there
 * @param loadSmall the same of a page that holds next to nothing
 */
export async function assertSoon(
  t: TestContext,
  load: () => Promise<number>,
  loadSmall: () => Promise<number>,
): Promise<void> {
  const times: number[] = [];
  const small: number[] = [];
  const limit = (): number => Math.max(targetMs, Math.min(...small) + beyondSmallMs);
  do {
    small.push(await loadSmall());
    times.push(await load());
  } while (times.length < mostRounds && Math.min(...times) > limit());
  const told = `${times.map(Math.round).join(', ')} ms; a small page after ${small.map(Math.round).join(', ')} ms`;
  t.diagnostic(`there after ${told}`);
  assert.ok(Math.min(...times) <= limit(), told);
}
