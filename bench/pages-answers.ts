/** How soon pages and searches are answered, as a browser asks for them: through Lighttpd, and the gateway where it must. */
import { type Dispatcher, Pool } from 'undici';
import { type Row, type Spread, spreadOf } from './measure.ts';
import { questions } from './pages-tree.ts';
import { branchOf, organization, pipeline } from './scale-builds.ts';

const asked = 40;
const searchTarget = 100;

/** Medians of the same page among fewer builds, by its name. */
export type Earlier = Map<string, number>;

/** @param url of the mirror @param builds how many it has */
export async function answerRows(url: string, builds: number, earlier: Earlier): Promise<Row[]> {
  const pool = new Pool(url, { connections: 1 });
  try {
    const rows: Row[] = [];
    for (const [name, path] of pagesOf(builds)) rows.push(await pageRow(pool, name, path, earlier));
    return [...rows, ...(await searchRows(pool))];
  } finally {
    await pool.close();
  }
}

/** The first three are files; the gateway makes the others. */
function pagesOf(builds: number): [string, string][] {
  const base = `/${organization}/${pipeline}/`;
  const branch = encodeURIComponent(branchOf(1));
  return [
    ['home', '/'],
    ['pipeline', base],
    ['builds', `${base}builds/`],
    ['builds, of a branch', `${base}builds/?branch=${branch}`],
    ['builds, a branch and a state', `${base}builds/?branch=main&state=failed`],
    ['builds, a state that none has', `${base}builds/?state=canceled`],
    ['builds, the oldest page', `${base}builds/?before=51`],
    ['builds, from the middle', `${base}builds/?before=${Math.ceil(builds / 2)}`],
  ];
}

async function pageRow(pool: Pool, name: string, path: string, earlier: Earlier): Promise<Row> {
  const value = await ask(pool, path);
  const first = earlier.get(name) ?? value.median;
  earlier.set(name, first);
  return {
    name: `${name}: to the first byte`,
    unit: 'ms',
    value,
    note: `${(value.median / first).toFixed(2)} x the first`,
  };
}

async function searchRows(pool: Pool): Promise<Row[]> {
  const begun = performance.now();
  await askOnce(pool, searchPath('cart'));
  const first = performance.now() - begun;
  const rows: { text: string; value: Spread }[] = [];
  for (const text of questions) rows.push({ text, value: await ask(pool, searchPath(text)) });
  const slowest = rows.reduce((one, other) => (other.value.median > one.value.median ? other : one));
  const medians = spreadOf(rows.map(({ value }) => value.median));
  return [
    { name: 'search: the first of all', unit: 'ms', value: spreadOf([first]) },
    {
      name: `search: ${questions.length} questions of every kind`,
      unit: 'ms',
      value: medians,
      note: `the slowest: ${slowest.text}`,
      target: { text: `the slowest ≤ ${searchTarget} ms`, met: medians.most <= searchTarget },
    },
  ];
}

function searchPath(text: string): string {
  return `/-/search?q=${encodeURIComponent(text)}`;
}

async function ask(pool: Pool, path: string): Promise<Spread> {
  const times: number[] = [];
  for (let turn = 0; turn <= asked; turn += 1) {
    const ms = await askOnce(pool, path);
    // The first is to warm up.
    if (turn > 0) times.push(ms);
  }
  return spreadOf(times);
}

/** @returns ms to the head of the answer. @throws Error where it is not the page */
async function askOnce(pool: Pool, path: string): Promise<number> {
  const askedAt = performance.now();
  const answer: Dispatcher.ResponseData = await pool.request({ path, method: 'GET' });
  const ms = performance.now() - askedAt;
  await answer.body.dump({ limit: Number.MAX_SAFE_INTEGER });
  if (answer.statusCode !== 200) throw new Error(`${path} was answered ${answer.statusCode}`);
  return ms;
}
