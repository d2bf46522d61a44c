/** A mirror with one job's log in it, as the worker leaves it: its index, its page, the page's script; the readers behind Lighttpd. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeLogIndex } from '../../src/logs/index-file.ts';
import type { LogIndex } from '../../src/logs/index-format.ts';
import { indexLog, logScriptEntry } from '../../src/logs/index-log.ts';
import { renderLog } from '../../src/pages/log.ts';
import { writeDerived } from '../../src/tree/files.ts';
import { writeJobRecord } from '../../src/tree/records.ts';
import { publishScript } from '../../src/tree/scripts.ts';
import { sampleJob } from '../pages/samples.ts';
import { type ReaderSite, startReaderSite } from './reader-site.ts';
import { build, place, type Site } from './site.ts';

export interface LogScene {
  readonly site: Site;
  /** Puts a log under a job of its own. @returns the page's address, and the index */
  add(number: number, content: Iterable<string | Buffer>): Promise<{ url: string; index: LogIndex }>;
  readonly addBuild: ReaderSite['add'];
  close(): Promise<void>;
}

export async function startLogScene(): Promise<LogScene> {
  const { site, add: addBuild, close } = await startReaderSite();
  const { paths } = site;
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
    addBuild,
    close,
  };
}
