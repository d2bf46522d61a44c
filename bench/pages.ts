/**
 * What the pages cost: a build published into a tree that holds 10², 10³, 10⁴ and 10⁵ others, and a search over as many.
 * Times of this process's processor, so that other work on the machine counts for little.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BuildSummary } from '../src/model.ts';
import { type Catalog, openCatalog } from '../src/search/catalog.ts';
import { type FullText, openFullText } from '../src/search/fulltext.ts';
import { dataPaths, type Place } from '../src/tree/paths.ts';
import { noteInCatalog } from '../workers/note-in-catalog.ts';
import { publishPipeline } from '../workers/publish-pipeline.ts';
import type { BenchContext } from './bench.ts';
import { type Row, type Spread, spreadOf, type Table } from './measure.ts';
import { openPlace } from './places.ts';

const sizes = [100, 1000, 10_000, 100_000] as const;
const rounds = 20;
const [organization, folder] = ['acme', 'web'];
const words =
  'cart checkout session renew token parser index timeout retry cache worker queue docs build lint flaky'.split(' ');
const questions = [
  'cart',
  'checkout session',
  'path:report',
  'test:renew',
  'state:failed cart',
  'deadbeef',
  'timeout retry',
];

export async function pages(context: BenchContext): Promise<Table[]> {
  const place = openPlace('disk', 2e9);
  if (typeof place === 'string') return [{ title: 'pages', facts: [`skipped: ${place}`], rows: [] }];
  context.cleanUp(() => place.remove());
  const paths = dataPaths(place.folder);
  mkdirSync(dirname(paths.catalog), { recursive: true });
  mkdirSync(paths.staging, { recursive: true });
  const [catalog, index] = [openCatalog(paths.catalog), openFullText(paths.search)];
  context.cleanUp(() => catalog.close());
  context.cleanUp(() => index.close());
  const rows: Row[] = [];
  let builds = 0;
  let first = Number.NaN;
  for (const size of sizes) {
    for (; builds < size; builds += 1) fill(catalog, index, builds + 1);
    context.signal.throwIfAborted();
    const publish = await publishCost({ paths, catalog, index }, size, () => (builds += 1));
    if (Number.isNaN(first)) first = publish.median;
    const searches = spreadOf(questions.map((text) => searchCost(index, text)));
    context.say(`${size} builds: ${publish.median.toFixed(1)} ms`);
    const times = publish.median / first;
    rows.push(
      {
        name: `publish among ${size} builds`,
        value: publish,
        unit: 'ms',
        note: `${times.toFixed(2)} x the first`,
        target: { text: 'at most 1.3 x the first', met: times <= 1.3 },
      },
      {
        name: `search among ${size} builds`,
        value: searches,
        unit: 'ms',
        target: { text: 'the slowest at most 100 ms', met: searches.most <= 100 },
      },
    );
  }
  const facts = [
    `medians of ${rounds}, time of the processor; publish: catalog, pointers, badge, search index, pages of pipeline and home`,
  ];
  return [{ title: 'pages', facts, rows }];
}

interface Parts {
  readonly paths: ReturnType<typeof dataPaths>;
  readonly catalog: Catalog;
  readonly index: FullText;
}

async function publishCost({ paths, catalog, index }: Parts, size: number, next: () => number): Promise<Spread> {
  const settings = { organization, url: 'http://mirror.test' };
  const lock = async <T>(_: string, work: () => Promise<T>): Promise<T> => work();
  const worker = { paths, catalog, settings, lock } as unknown as Parameters<typeof publishPipeline>[0];
  const costs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const number = next();
    const place: Place = { organization, folder, number };
    const before = process.cpuUsage();
    const summary = summaryOf(number);
    noteInCatalog(worker, place, summary, { lost: 0, withheld: 0 });
    index.put(documentOf(summary));
    catalog.neighbours(organization, folder, number);
    await publishPipeline(worker, { organization, folder, number });
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1000);
  }
  if (catalog.totals().builds < size) throw new Error('the catalog lost builds');
  return spreadOf(costs);
}

function searchCost(index: FullText, text: string): number {
  const times = Array.from({ length: 5 }, () => {
    const startedAt = performance.now();
    index.find({ organization, text, before: null, limit: 25 });
    return performance.now() - startedAt;
  });
  return spreadOf(times).median;
}

function fill(catalog: Catalog, index: FullText, number: number): void {
  const summary = summaryOf(number);
  catalog.put({ folder, summary, lost: 0, withheld: 0 }, () => undefined);
  index.put(documentOf(summary));
}

function documentOf(summary: BuildSummary) {
  const at = summary.number;
  return {
    folder,
    summary,
    jobs: ['Lint', 'Test', 'Build'],
    paths: Array.from({ length: 20 }, (_, file) => `report/${word(at + file)}/${file}.html`),
    tests: at % 3 === 0 ? [`${word(at)} should ${word(at + 5)}`] : [],
    lines: at % 3 === 0 ? [`Error: ${word(at)} failed after ${word(at + 2)} ${at}`] : [],
  };
}

function word(at: number): string {
  return words[at % words.length] ?? '';
}

function summaryOf(number: number): BuildSummary {
  const hex = number.toString(16).padStart(12, '0');
  const at = new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString();
  const counts = { expected: 20, present: 20, bytes: 1e6, settled: true, complete: true };
  return {
    version: 1,
    organization,
    pipeline: folder,
    pipeline_id: '0191e0c4-0000-4000-8000-000000000001',
    pipeline_name: 'Web',
    number,
    id: `0191e0c4-0000-4000-8001-${hex}`,
    state: number % 3 === 0 ? 'failed' : 'passed',
    blocked: false,
    branch: number % 4 === 0 ? 'main' : `feature/${number % 2000}`,
    tag: null,
    commit: hex.repeat(4).slice(0, 40),
    message: `${word(number)} ${word(number + 3)} the ${word(number + 7)}`,
    author: `Author ${number % 50}`,
    source: 'webhook',
    pull_request: null,
    created_at: at,
    started_at: at,
    finished_at: at,
    web_url: null,
    learned_from: 'webhook',
    mirrored_at: at,
    ...counts,
  };
}
