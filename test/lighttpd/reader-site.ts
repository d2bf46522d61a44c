/** The readers of a mirror behind the real Lighttpd, over a data folder that a test fills. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createLog } from '../../src/log.ts';
import { createPartReader } from '../../src/logs/part-reader.ts';
import { createSearcher } from '../../src/logs/searcher.ts';
import type { BuildRecord, JobRecord } from '../../src/model.ts';
import { renderBuild } from '../../src/pages/build.ts';
import { describeJob } from '../../src/pages/details.ts';
import { createMarkupRenderer } from '../../src/pages/markup-renderer.ts';
import { pageCache } from '../../src/readers/page-cache.ts';
import { createReaders } from '../../src/readers/readers.ts';
import { createWatch } from '../../src/readers/watching.ts';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { openSearch } from '../../src/search/search.ts';
import { writeDerived } from '../../src/tree/files.ts';
import type { Place } from '../../src/tree/paths.ts';
import { writeBuildRecord, writeJobRecord, writeViews } from '../../src/tree/records.ts';
import { mergeJobs, mergeSteps } from '../../src/tree/views.ts';
import { keepsAll } from '../pages/samples.ts';
import { type Site, startSite } from './site.ts';

/** Numbers of the builds before and after. */
export interface Beside {
  readonly previous: number | null;
  readonly next: number | null;
}

export interface ReaderSite {
  readonly site: Site;
  readonly url: string;
  /** Writes the records, views and page of a build, as the worker does; not the files. */
  add(build: BuildRecord, jobs: readonly JobRecord[], beside?: Beside): Promise<Place>;
  close(): Promise<void>;
}

export async function startReaderSite(): Promise<ReaderSite> {
  const site = await startSite();
  const { paths } = site;
  const [searcher, logParts] = [createSearcher(), createPartReader()];
  const [reports, markup] = [createReportReader(), createMarkupRenderer()];
  const search = openSearch(paths.search, { readOnly: true });
  const log = createLog('test', 'silent');
  const queue = { enqueue: async () => undefined };
  const url = `http://127.0.0.1:${site.port}`;
  const app = createReaders({
    paths,
    queue,
    watch: createWatch(queue),
    catalog: () => null,
    pages: pageCache(paths, log),
    searcher,
    logParts,
    reports,
    markup,
    search,
    organization: 'acme',
    opensReports: false,
    url: `${url}/`,
    ruleFor: () => keepsAll,
    log,
    identity: null,
  });
  site.gateway.answer((request, response) => void app(request, response));
  return {
    site,
    url,
    add: async (build, jobs, beside = { previous: null, next: null }) => {
      const place = { organization: build.organization, folder: build.pipeline, number: build.number };
      for (const job of jobs) {
        mkdirSync(paths.job(place, job.id), { recursive: true });
        await writeJobRecord(paths, place, job);
      }
      const merged = mergeJobs(jobs);
      await writeBuildRecord(paths, place, build);
      await writeViews(paths, place, { version: 1, merged, steps: mergeSteps(jobs) });
      const details = new Map(jobs.map((job) => [job.id, describeJob(job)]));
      const page = paths.page(build.organization, build.pipeline, 'builds', String(build.number));
      mkdirSync(dirname(page), { recursive: true });
      await writeDerived(paths, page, renderBuild({ build, merged, ...beside, details, url }));
      return place;
    },
    close: async () => {
      await Promise.all([searcher, logParts, reports, markup, search].map((each) => each.close()));
      await site.close();
    },
  };
}
