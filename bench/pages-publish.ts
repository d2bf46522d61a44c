/** A build published as a worker does it, by its own code, with real records, a real Redis and the index in its thread. */
import { EnvReader } from '../src/config/env-reader.ts';
import { readRetention } from '../src/config/retention.ts';
import { createLog } from '../src/log.ts';
import type { UpstreamView } from '../src/model.ts';
import { openQueue } from '../src/queue/queue.ts';
import { createReportReader } from '../src/reports/report-reader.ts';
import { openSearch } from '../src/search/search.ts';
import type { Place } from '../src/tree/paths.ts';
import { claimFolder, type Lock } from '../src/tree/pipelines.ts';
import { writeJobRecord } from '../src/tree/records.ts';
import { ruleNow } from '../src/tree/retention.ts';
import { writeUpstreamView } from '../src/tree/upstream-view.ts';
import { type BuildParts, publishBuild } from '../workers/publish-build.ts';
import { publishPipeline } from '../workers/publish-pipeline.ts';
import type { BenchContext } from './bench.ts';
import { type Spread, spreadOf } from './measure.ts';
import { type PagesTree, summaryOf } from './pages-tree.ts';
import { startRedis } from './redis.ts';
import { buildFacts, jobFacts, organization, pipeline, uuidOf } from './scale-builds.ts';
import { jobRecord } from './scale-tree.ts';
import { root } from './stack.ts';

/** Before the first is measured: what has just been loaded is slow. */
const warmUps = 40;
const usualRounds = 40;
/** That of a mirror without a setting. */
const policy = readRetention(new EnvReader({}), root, false);
/** The bench is the only one at it. */
const alone: Lock = (_, work) => work();

export interface Publisher {
  /** Publishes builds behind the newest of `size`. @returns processor time of this process, ms; and how many builds there are then */
  cost(size: number): Promise<{ cost: Spread; builds: number }>;
}

/** Its queue, and what runs beside, end with the bench. */
export async function createPublisher(context: BenchContext, { paths, catalog }: PagesTree): Promise<Publisher> {
  const { signal, cleanUp } = context;
  const redisUrl = await startRedis(context);
  const queue = openQueue(() => redisUrl, createLog('bench', 'error'));
  cleanUp(() => queue.close());
  const search = openSearch(paths.search);
  cleanUp(() => search.close());
  const reports = createReportReader();
  cleanUp(() => reports.close());
  const worker: BuildParts = {
    paths,
    catalog,
    queue,
    search,
    reports,
    settings: { url: 'http://mirror.test', ruleFor: ruleNow(() => policy) },
    onDamaged: ({ record }) => {
      throw new Error(`a ${record} record of the bench cannot be read`);
    },
  };
  await claimFolder(
    paths,
    alone,
    { organization, slug: pipeline, pipelineId: uuidOf('pipeline', 1) },
    async () => undefined,
  );
  const cost = async (size: number): Promise<{ cost: Spread; builds: number }> => {
    const costs: number[] = [];
    const last = size + warmUps + (context.rounds ?? usualRounds);
    for (let number = size + 1; number <= last; number += 1) {
      signal.throwIfAborted();
      const place: Place = { organization, folder: pipeline, number };
      const view = viewOf(number);
      await writeJobRecord(paths, place, jobRecord(paths, number));
      await writeUpstreamView(paths, place, view);
      const { id: build } = view.build;
      const before = process.cpuUsage();
      await publishBuild(worker, { organization, pipeline, number, build, pipelineId: view.build.pipeline.id });
      await publishPipeline({ ...worker, lock: alone }, place);
      const { user, system } = process.cpuUsage(before);
      if (number > size + warmUps) costs.push((user + system) / 1000);
    }
    if (catalog.totals().builds !== last) throw new Error('a published build is not in the catalog');
    return { cost: spreadOf(costs), builds: last };
  };
  return { cost };
}

/** What upstream says of the build; its words are those that the index has of the others. */
function viewOf(number: number): UpstreamView {
  const { state, message, author } = summaryOf(number);
  const build = { ...buildFacts(number), state, message, author };
  return { version: 1, read_at: build.finished_at ?? '', build, jobs: [jobFacts(number)], annotations: null };
}
