/** Markdown and JSON that are made to be costly: whoever asks for its page waits, nobody else does. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { createMarkupRenderer } from '../../src/pages/markup-renderer.ts';
import { renderMarkdown } from '../../src/pages/view-markdown.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const whole = 512 * 1024;
const files = {
  'tables.md': 'a|b\n-|-\n'.repeat(whole / 8),
  'numbers.json': `[${'1,'.repeat(2 * whole - 2)}1]`,
  'fine.md': '# Fine\n\nhttps://x.test/',
  'plain.txt': 'plain words',
};
const base = '/acme/web/builds/42/artifacts';
let mirror: TestMirror;
let hasty: TestMirror;

before(async () => {
  mirror = openMirror();
  hasty = openMirror(createMarkupRenderer(1));
  await Promise.all([fill(mirror), fill(hasty)]);
});
after(() => {
  mirror.close();
  hasty.close();
});

async function fill(mirror: TestMirror): Promise<void> {
  const artifacts = Object.entries(files).map(([name, { length }], index) =>
    sampleArtifact(uuid(1), index, name, { size: length }),
  );
  const jobs = [sampleJob(1, { artifacts })];
  const place = await mirror.add(sampleBuild(jobs), jobs);
  for (const [name, content] of Object.entries(files)) {
    const file = mirror.paths.shown(place, `artifacts/${name}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

async function get(path: string, { app }: TestMirror = mirror): Promise<{ text: string; ms: number }> {
  const begun = performance.now();
  const { text } = await request(app).get(`${base}/${path}`).expect(200);
  return { text, ms: performance.now() - begun };
}

for (const name of ['tables.md', 'numbers.json']) {
  test(`while ${name} is laid out other pages are answered as fast as ever`, { timeout: 120_000 }, async () => {
    await get('plain.txt?view');
    const asked = { isDone: false };
    const costly = get(`${name}?view`).finally(() => (asked.isDone = true));
    const others: number[] = [];
    while (!asked.isDone) others.push((await get('plain.txt?view')).ms);
    const { ms } = await costly;
    const slowest = Math.max(...others.slice(0, 10_000));
    // Laid out here, the first of them would wait until it is done.
    assert.ok(others.length >= 3 && slowest < ms / 2, `${others.length} pages, ${slowest} of ${ms} ms`);
  });
}

test('what takes too long is shown as text, a part at a time, with why', { timeout: 120_000 }, async () => {
  const { text } = await get('tables.md?view', hasty);
  assert.match(text, /Shown as text: to lay it out takes more time or memory than a page may have/);
  assert.equal(text.match(/<div class="line"/g)?.length, 20_000);
  assert.match(text, /<div class="line" id="L20000">[^]*tables\.md\?view&amp;at=80000&amp;line=20001/);
  const next = (await get('tables.md?view&at=480000&line=120001', hasty)).text;
  assert.match(next, /id="L120001"[^]*id="L131072"/);
  assert.doesNotMatch(next, /Shown as text|rel="next"/);
  assert.match((await get('fine.md?view')).text, /<h2>Fine<\/h2>\n<p><a href="https:\/\/x.test\/"/);
});

test('a run of addresses costs what its length does', { timeout: 240_000 }, () => {
  const cost = (text: string): number => {
    const begun = process.cpuUsage();
    renderMarkdown(text);
    const { user, system } = process.cpuUsage(begun);
    return user + system;
  };
  renderMarkdown('http://a.b/ '.repeat(2000));
  const apart = cost('http://a.b/ '.repeat(whole / 12));
  const together = cost('http://a.b/'.repeat(whole / 11));
  assert.ok(together < 12 * apart, `${together} µs in a row, ${apart} µs apart`);
});

test('an address is a link however long it is', () => {
  for (const length of [2, 2000, 2030, 2500]) {
    const address = `https://x.test/${'a'.repeat(length)}`;
    const { text } = renderMarkdown(`see ${address} there`);
    assert.ok(text.includes(`<a href="${address}" rel="noreferrer noopener">${address}</a> there`), text);
  }
});
