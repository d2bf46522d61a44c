/** A data folder of many builds as far as pages and search see it: catalog and index, and no file of any build. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BuildSummary } from '../src/model.ts';
import { type Catalog, openCatalog } from '../src/search/catalog.ts';
import { type FullText, openFullText, type SearchDocument } from '../src/search/fulltext.ts';
import { prepareData } from '../src/tree/data.ts';
import { type DataPaths, dataPaths } from '../src/tree/paths.ts';
import { pipeline } from './scale-builds.ts';
import { catalogSummary, putBuilds } from './scale-tree.ts';

export interface PagesTree {
  readonly paths: DataPaths;
  readonly catalog: Catalog;
  readonly index: FullText;
  close(): void;
}

/** Builds that are indexed in one transaction. */
const atOnce = 200;
const pathsPerBuild = 20;
/** One build in so many is large. */
const largeEvery = 50;
const pathsOfLarge = 1000;
const words =
  'cart checkout session renew token parser index timeout retry cache worker queue docs build lint flaky'.split(' ');

/** Questions of each kind: usual words and rare ones, one field, a state, and what is nowhere. */
export const questions = [
  'cart',
  'checkout session',
  'path:report',
  'path:report/cart',
  'test:renew',
  'log:failed timeout',
  'state:failed cart',
  'state:canceled cart',
  'author mira cart retry queue',
  'report html lint',
  'nowhere',
  'change 4242',
] as const;

export async function openTree(folder: string): Promise<PagesTree> {
  const paths = dataPaths(folder);
  await prepareData(paths);
  const [catalog, index] = [openCatalog(paths.catalog), openFullText(paths.search)];
  catalog.noteStage('whole');
  const close = (): void => {
    catalog.close();
    index.close();
  };
  return { paths, catalog, index, close };
}

/** Adds builds `from` to `to`. */
export async function addBuilds(
  { catalog, index }: Pick<PagesTree, 'catalog' | 'index'>,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<void> {
  await putBuilds(catalog, from, to, summaryOf, signal);
  for (let number = from; number <= to; number += atOnce) {
    const count = Math.min(atOnce, to - number + 1);
    index.add(Array.from({ length: count }, (_, at) => documentOf(summaryOf(number + at))));
    await nextTurn();
    signal.throwIfAborted();
  }
}

export function summaryOf(number: number): BuildSummary {
  const summary = catalogSummary(number);
  const { branch } = summary;
  return {
    ...summary,
    // The main branch is never red: what looks for its latest failure finds none.
    state: branch !== 'main' && number % 3 === 0 ? 'failed' : 'passed',
    message: `${word(number)} ${word(number + 3)} the ${word(number + 7)}: change ${number}`,
    author: `Author Mira ${number % 50}`,
  };
}

export function documentOf(summary: BuildSummary): SearchDocument {
  const { number, state } = summary;
  const hasFailed = state === 'failed';
  const paths = number % largeEvery === 0 ? pathsOfLarge : pathsPerBuild;
  return {
    folder: pipeline,
    summary,
    jobs: ['Lint', 'Test', 'Build'],
    paths: Array.from({ length: paths }, (_, file) => `report/${word(number + file)}/${file}.html`),
    tests: hasFailed ? [`${word(number)} should ${word(number + 5)}`] : [],
    lines: hasFailed ? [`Error: ${word(number)} failed after ${word(number + 2)} ${number}`] : [],
  };
}

function word(at: number): string {
  return words[at % words.length] ?? '';
}
