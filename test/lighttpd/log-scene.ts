/** A mirror with one job's log in it, as the worker leaves it: its index, its page, the page's script; the readers behind Lighttpd. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { createLog } from '../../src/log.ts';
import { writeLogIndex } from '../../src/logs/index-file.ts';
import type { LogIndex } from '../../src/logs/index-format.ts';
import { indexLog, logScriptEntry } from '../../src/logs/index-log.ts';
import { createSearcher } from '../../src/logs/searcher.ts';
import { renderLog } from '../../src/pages/log.ts';
import { pageCache } from '../../src/readers/page-cache.ts';
import { createReaders } from '../../src/readers/readers.ts';
import { createWatch } from '../../src/readers/watching.ts';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { openSearch } from '../../src/search/search.ts';
import { writeDerived } from '../../src/tree/files.ts';
import { writeJobRecord } from '../../src/tree/records.ts';
import { publishScript } from '../../src/tree/scripts.ts';
import { sampleJob } from '../pages/samples.ts';
import { build, place, type Site, startSite } from './site.ts';

export interface LogScene {
  readonly site: Site;
  /** Puts a log under a job of its own. @returns the page's address, and the index */
  add(number: number, content: Iterable<string | Buffer>): Promise<{ url: string; index: LogIndex }>;
  close(): Promise<void>;
}

export async function startLogScene(): Promise<LogScene> {
  const site = await startSite();
  const { paths } = site;
  const searcher = createSearcher();
  const reports = createReportReader();
  const search = openSearch(paths.search, { readOnly: true });
  const log = createLog('test', 'silent');
  const queue = { enqueue: async () => undefined };
  const watch = createWatch(queue);
  const app = createReaders({
    ...{
      paths,
      queue,
      watch,
      catalog: () => null,
      pages: pageCache(paths, log),
      searcher,
      reports,
      search,
      organization: 'acme',
    },
    opensReports: false,
    url: `http://127.0.0.1:${site.port}/`,
    log,
    identity: null,
  });
  site.gateway.answer((request, response) => void app(request, response));
  const script = await publishScript(paths, logScriptEntry);

  return {
    site,
    add: async (number, content) => {
      const job = sampleJob(number, { state: 'failed' });
      const file = paths.jobFile(place, job.id, 'log.txt');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, '');
      for (const piece of content) writeFileSync(file, piece, { flag: 'a' });
      const { size } = statSync(file);
      const record = {
        url: `jobs/${job.id}/log.txt`,
        size,
        sha256: null,
        state: 'present' as const,
        reason: null,
        fetched_at: null,
      };
      await writeJobRecord(paths, place, { ...job, log: record });
      const { index, lines, shown } = await indexLog(file, size);
      await writeLogIndex(paths, place, job.id, index);
      const page = renderLog({
        build: { organization: 'acme', pipeline: 'web', number: 42 },
        job: { ...job, log: record },
        lines,
        from: 1,
        shown,
        total: index.lines,
        failing: index.failure.line,
        script,
      });
      await writeDerived(paths, paths.page('acme', 'web', 'builds', '42', 'jobs', job.id, 'log'), page);
      return { url: `http://127.0.0.1:${site.port}${build}/jobs/${job.id}/log/`, index };
    },
    close: async () => {
      await Promise.all([searcher.close(), reports.close(), search.close()]);
      await site.close();
    },
  };
}
