/** A data folder with builds in it, as the worker leaves it behind, and the readers over it. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Express } from 'express';
import { createLog } from '../../src/log.ts';
import { createPartReader } from '../../src/logs/part-reader.ts';
import { createSearcher } from '../../src/logs/searcher.ts';
import type { BuildRecord, JobRecord } from '../../src/model.ts';
import { createMarkupRenderer } from '../../src/pages/markup-renderer.ts';
import type { Task } from '../../src/queue/tasks.ts';
import { catalogSource } from '../../src/readers/catalog-source.ts';
import type { ReaderIdentity } from '../../src/readers/identity.ts';
import { pageCache } from '../../src/readers/page-cache.ts';
import { createReaders } from '../../src/readers/readers.ts';
import { createWatch } from '../../src/readers/watching.ts';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { openCatalog } from '../../src/search/catalog.ts';
import { openSearch, type Search } from '../../src/search/search.ts';
import { type DataPaths, dataPaths, type Place } from '../../src/tree/paths.ts';
import { writeBuildRecord, writeJobRecord, writeViews } from '../../src/tree/records.ts';
import { mergeJobs, mergeSteps } from '../../src/tree/views.ts';
import { keepsAll } from '../pages/samples.ts';

export interface TestMirror {
  readonly app: Express;
  /** The same with identity on. */
  readers(identity: ReaderIdentity): Express;
  readonly paths: DataPaths;
  /** What readers asked the workers for. */
  readonly asked: Task[];
  /** Writes the records of a build, its views and its line in the catalog. */
  add(build: BuildRecord, jobs: readonly JobRecord[], folder?: string): Promise<Place>;
  readonly search: Search;
  close(): void;
}

export function openMirror(markup = createMarkupRenderer()): TestMirror {
  const paths = dataPaths(mkdtempSync(join(tmpdir(), 'kitemirror-readers-')));
  const log = createLog('test', 'silent');
  const searcher = createSearcher();
  const logParts = createPartReader();
  const reports = createReportReader();
  mkdirSync(dirname(paths.search), { recursive: true });
  const search = openSearch(paths.search);
  const catalog = catalogSource(paths.catalog, () => performance.now() * 1e6);
  const asked: Task[] = [];
  const queue = { enqueue: async (task: Task) => void asked.push(task) };
  const readers = (identity: ReaderIdentity | null): Express =>
    createReaders({
      paths,
      catalog: () => catalog.current(),
      search,
      pages: pageCache(paths, log),
      searcher,
      logParts,
      reports,
      markup,
      queue,
      watch: createWatch(queue),
      organization: 'acme',
      url: 'http://mirror.test/',
      ruleFor: (build) =>
        build.branch === 'short-lived' ? { ...keepsAll, builds: { ageMs: 86_400_000, count: null } } : keepsAll,
      opensReports: true,
      log,
      identity,
    });
  return {
    paths,
    asked,
    app: readers(null),
    readers,
    add: async (build, jobs, folder = build.pipeline) => {
      const place = { organization: build.organization, folder, number: build.number };
      mkdirSync(paths.build(place), { recursive: true });
      for (const job of jobs) {
        mkdirSync(paths.job(place, job.id), { recursive: true });
        await writeJobRecord(paths, place, job);
      }
      await writeBuildRecord(paths, place, build);
      await writeViews(paths, place, { version: 1, merged: mergeJobs(jobs), steps: mergeSteps(jobs) });
      mkdirSync(dirname(paths.catalog), { recursive: true });
      const writer = openCatalog(paths.catalog);
      const { jobs: _, ...summary } = build;
      writer.put({ folder, summary, lost: 0, withheld: 0 }, () => undefined);
      writer.close();
      return place;
    },
    search,
    close: () => {
      void search.close();
      catalog.close();
      void searcher.close();
      void logParts.close();
      void reports.close();
      void markup.close();
      rmSync(paths.root, { recursive: true });
    },
  };
}
