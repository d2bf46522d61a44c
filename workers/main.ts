/** The worker program: takes tasks, reads Buildkite, writes the tree. The only one that holds the Buildkite token. */
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { Agent } from 'undici';
import { reserves, type WorkClass } from '../src/buildkite/budget.ts';
import { createBuildList } from '../src/buildkite/build-list.ts';
import type { Rest } from '../src/buildkite/rest.ts';
import { createServices } from '../src/buildkite/services.ts';
import { type Config, parseConfig, readEnv, type Secrets, shareWithSdk } from '../src/config.ts';
import { toMirrorError } from '../src/errors.ts';
import { nameMatcher, pathMatcher } from '../src/globs.ts';
import { createLog, type Log, logError, logRefusal } from '../src/log.ts';
import { logScriptEntry } from '../src/logs/index-log.ts';
import { processMetrics, serveMetrics } from '../src/metrics/serve.ts';
import { workerMetrics } from '../src/metrics/worker.ts';
import { offerAccount } from '../src/pages/layout.ts';
import { budgetStore } from '../src/queue/budgets.ts';
import { createHold, whileHolding } from '../src/queue/hold.ts';
import { createLock } from '../src/queue/lock.ts';
import { openQueue, type TaskQueue } from '../src/queue/queue.ts';
import { connectRedis, refuseEviction } from '../src/queue/redis.ts';
import { runTasks } from '../src/queue/run.ts';
import { shelfStore } from '../src/queue/shelves.ts';
import type { Task } from '../src/queue/tasks.ts';
import { outcomes } from '../src/reconcile/compare.ts';
import { webhookUrl } from '../src/reconcile/webhook-care.ts';
import { createReportReader } from '../src/reports/report-reader.ts';
import { openCatalog } from '../src/search/catalog.ts';
import { openSearch } from '../src/search/search.ts';
import { createStopper, type Stopper, stopOnSignals } from '../src/stop.ts';
import { createStorage } from '../src/storage/storage.ts';
import { prepareData, sweepStaging } from '../src/tree/data.ts';
import { notePageForm } from '../src/tree/page-form.ts';
import { type DataPaths, dataPaths } from '../src/tree/paths.ts';
import { ruleNow } from '../src/tree/retention.ts';
import { recordKinds } from '../src/tree/salvaged.ts';
import { publishScript } from '../src/tree/scripts.ts';
import { createSpace } from '../src/tree/space.ts';
import { openStaging } from '../src/tree/staging.ts';
import { createPurgedLookup } from '../src/tree/tombstones.ts';
import { createApis } from './apis.ts';
import { checkTree } from './check-tree.ts';
import type { WorkerContext } from './context.ts';
import { derive } from './derived.ts';
import { drop } from './drop.ts';
import { restoreSearch } from './index-build.ts';
import { indexJobLog } from './index-log.ts';
import { mirrorJob } from './mirror-job.ts';
import { followRetention } from './policy.ts';
import { publishBuild } from './publish-build.ts';
import { publishPipeline } from './publish-pipeline.ts';
import { purge } from './purge.ts';
import { readBuild } from './read-build.ts';
import { rebuild } from './rebuild.ts';
import { type ReconcileOptions, startReconciling } from './reconcile.ts';
import { repair } from './repair.ts';
import { restoreCatalog } from './restore-catalog.ts';
import { startSchedule } from './schedule.ts';
import { createSlots } from './slots.ts';
import { sweep } from './sweep.ts';
import { tailLog } from './tail-log.ts';
import type { Upkeep } from './upkeep.ts';
import { verify } from './verify.ts';
import { createWebhookCare } from './webhook-care.ts';
import { createSenderCare } from './webhook-senders.ts';

/** Tasks at once; downloads at once are bounded apart from that (KITEMIRROR_CONCURRENCY). */
const tasksAtOnce = { live: 16, bulk: 4 };
const graceMs = 15_000;

const root = join(import.meta.dirname, '..');

async function run(log: Log, config: Config, secrets: Secrets): Promise<void> {
  const stopper = createStopper(log, graceMs + 5000);
  if (config.identity !== null) offerAccount();
  const paths = dataPaths(config.dataRoot);
  await prepareData(paths);
  const url = config.url.href.replace(/\/$/, '');
  if (await notePageForm(paths, { accounts: config.identity !== null, url }))
    log.info('pages are made again: settings or a release changed what stands in all of them');
  await sweepStaging(paths);
  const logScript = await publishScript(paths, logScriptEntry);

  const redisUrl = (): string => secrets.redisUrl?.reveal() ?? `unix://${join(config.runDir, 'redis.sock')}`;
  const redis = connectRedis(redisUrl, 'worker', log);
  stopper.add('redis', () => redis.disconnect());
  await refuseEviction(redis);
  const queue = openQueue(redisUrl, log);
  stopper.add('queue', () => queue.close());
  await new Promise<void>((resolve) => queue.onReady(resolve));

  const registry = new Registry();
  processMetrics(registry);
  const metrics = workerMetrics(registry);
  // What has not been yet is 0, so that its first one is an increase.
  for (const outcome of outcomes) metrics.reconciled.inc({ outcome }, 0);
  for (const record of recordKinds) metrics.damagedRecords.inc({ record }, 0);
  const apis = createApis({ config, secrets, store: budgetStore(redis), shelf: shelfStore(redis), metrics, log });
  // Slots bound the downloads of each class; connections are not to be waited for besides.
  const dispatcher = new Agent({ connect: { timeout: 10_000 } });
  const catalog = openCatalog(paths.catalog);
  stopper.add('catalog', () => catalog.close());
  const search = openSearch(paths.search);
  stopper.add('search', () => search.close());
  const reports = createReportReader();
  stopper.add('reports', () => reports.close());

  const retention = await followRetention(config.retention, paths, log);
  stopper.add('retention policy', retention.stop);

  const purged = createPurgedLookup(paths);
  const shared: Omit<WorkerContext, 'upstream' | 'links' | 'slots'> = {
    paths,
    settings: {
      organization: config.organization,
      includesPipeline: nameMatcher(config.pipelines),
      includesBranch: nameMatcher(config.branches),
      includesArtifact: pathMatcher(config.artifacts),
      logs: config.logs,
      maxArtifactBytes: config.maxArtifactBytes,
      unseenDays: config.unseenDays,
      url,
      ruleFor: ruleNow(retention.policy),
    },
    storage: createStorage({
      dispatcher,
      hosts: config.downloadHosts,
      buckets: {
        rules: config.s3Buckets,
        endpoint: config.s3Endpoint,
        onRead: (outcome) => metrics.bucketReads.inc({ outcome }),
        log,
      },
    }),
    queue,
    catalog,
    search,
    reports,
    lock: createLock(redis),
    space: createSpace(config.dataRoot, config.minFreeBytes, makeRoom(queue, log)),
    staging: { ...openStaging(paths.staging), newFinder: purged.newFinder },
    logScript,
    isPurged: purged.isPurged,
    purgedValues: purged.values,
    onArtifact: (outcome, bytes) => {
      metrics.artifacts.inc({ outcome });
      metrics.artifactBytes.inc(bytes);
    },
    onStored: gather((bytes) => catalog.addStored(bytes), log),
    onDamaged: ({ record, ...where }) => {
      metrics.damagedRecords.inc({ record });
      log.error({ record, ...where }, 'a record cannot be read: it is kept in quarantine and made again');
    },
    onVisible: (seconds) => metrics.publishLagSeconds.observe(Math.max(0, seconds)),
  };
  // Each class has places of its own: what waits for the budget must not hold those of what someone waits for.
  const worker = eachClass((workClass) => ({
    ...shared,
    upstream: apis.upstream(workClass),
    links: apis.links(workClass),
    slots: createSlots(config.concurrency),
  }));
  const hold = createHold(redis);
  const upkeep: Upkeep = {
    ...worker.bulk,
    policy: retention.policy,
    compareEveryMs: config.reconcileSeconds * 1000,
    verifyRate: config.verifyRate,
    holding: (identity, signal, work) => whileHolding(hold, identity, signal, work),
    onRemoved: (what, reason, count) => metrics.removed.inc({ what, reason }, count),
    onVerified: (sound, damaged, bytes) => {
      metrics.verifiedBlobs.inc({ outcome: 'sound' }, sound);
      metrics.verifiedBlobs.inc({ outcome: 'damaged' }, damaged);
      metrics.verifiedBytes.inc(bytes);
    },
    onFreed: (bytes) => metrics.freedBytes.inc(bytes),
  };
  const runner = runTasks({
    redis,
    log,
    concurrency: tasksAtOnce,
    processors: {
      'read-build': (payload, context) => readBuild(worker[context.workClass], payload, context),
      'mirror-job': (payload, context) =>
        derive(paths, { name: 'mirror-job', payload }, () => mirrorJob(worker[context.workClass], payload, context)),
      'index-log': (payload, { workClass }) =>
        derive(paths, { name: 'index-log', payload }, () => indexJobLog(worker[workClass], payload)),
      'tail-log': (payload, context) => tailLog(worker[context.workClass], payload, context),
      'publish-build': (payload, { workClass }) =>
        derive(paths, { name: 'publish-build', payload }, () => publishBuild(worker[workClass], payload)),
      drop: (payload, context) => drop(upkeep, payload, context),
      sweep: (payload, context) => sweep(upkeep, payload, context),
      verify: (_, context) => verify(upkeep, context),
      'check-tree': (_, context) => checkTree(upkeep, context),
      purge: (_, context) => purge(upkeep, context),
      rebuild: (_, context) => rebuild(upkeep, context),
      repair: (_, context) => repair(upkeep, context),
      'publish-pipeline': (payload, { workClass }) =>
        derive(paths, { name: 'publish-pipeline', payload }, () => publishPipeline(worker[workClass], payload)),
    },
    onDone: (task, outcome, seconds) => metrics.taskSeconds.observe({ task, outcome }, seconds),
    onFailure: (task, code) => metrics.taskFailures.inc({ task, code }),
  });
  stopper.add('tasks', () => runner.stop(graceMs));
  if (config.workerMetricsListen !== null) {
    const readyz = async () => {
      const redisAnswers = await queue.ping();
      return { ready: redisAnswers, checks: { redis: redisAnswers ? 'ok' : 'does not answer' } };
    };
    const listening = await serveMetrics(registry, config.workerMetricsListen, { readyz });
    stopper.add('metrics', () => listening.close());
  }
  const isGone = (): boolean => redis.status !== 'ready';
  stopOnSignals(stopper, log, { watchStdin: process.argv.includes('--supervised'), isGone });
  log.info({ pid: process.pid, concurrency: config.concurrency, organization: config.organization }, 'worker ready');
  if (!(await fillCatalog(worker.reconcile, stopper, log))) return;
  const reconciling = startReconciling({
    worker: worker.reconcile,
    list: createBuildList(apis.rest('reconcile')),
    care: webhookCare(config, apis.rest('reconcile'), paths, log),
    hold: createHold(redis),
    intervalMs: config.reconcileSeconds * 1000,
    settings: config,
    log,
    onOutcome: (outcome) => metrics.reconciled.inc({ outcome }),
  });
  stopper.add('reconcile', () => reconciling.stop());
  stopper.add('schedule', startSchedule(upkeep, { dropEveryMs: config.retentionSeconds * 1000 }, log));
  await indexAgain(worker.bulk, stopper, log);
}

function webhookCare(config: Config, rest: Rest, paths: DataPaths, log: Log): ReconcileOptions['care'] {
  const care = createWebhookCare({
    services: createServices(rest, config.organization),
    wanted: { url: webhookUrl(config.url), mode: config.webhookMode, tokens: null },
    mayRepair: config.webhookRepair,
    paths,
    log,
  });
  return config.reach.webhooks?.published === true ? [care, createSenderCare({ rest, paths, log })] : [care];
}

/** @returns false where the worker was told to end: the next one goes on */
async function fillCatalog(worker: WorkerContext, stopper: Stopper, log: Log): Promise<boolean> {
  const stop = new AbortController();
  stopper.add('catalog from the records', () => stop.abort());
  try {
    const builds = await restoreCatalog(worker, stop.signal);
    if (builds > 0) log.info({ builds }, 'the catalog was made again from the records');
    return true;
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
    return false;
  }
}

/** Long where the search index is new: by then the worker is at work already. */
async function indexAgain(worker: WorkerContext, stopper: Stopper, log: Log): Promise<void> {
  const stop = new AbortController();
  stopper.add('search index', () => stop.abort());
  try {
    const builds = await restoreSearch(worker, stop.signal);
    if (builds > 0) log.info({ builds }, 'builds were put into the search index again');
  } catch (thrown) {
    if (!stop.signal.aborted) logError(log, thrown, 'the search index could not be made again');
  }
}

/** While downloads wait for room the policy runs, and what nothing shows is swept at once; not more often than this. */
const makeRoomEveryMs = 60_000;

function makeRoom(queue: TaskQueue, log: Log): () => void {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - last < makeRoomEveryMs) return;
    last = performance.now();
    log.warn('downloads wait for room; the retention policy is applied and blobs are swept');
    const tasks: Task[] = [
      { name: 'drop', payload: {} },
      { name: 'sweep', payload: { graceMs: 0 } },
    ];
    Promise.all(tasks.map((task) => queue.enqueue(task, { urgent: true }))).catch((error: unknown) =>
      logError(log, error, 'room could not be asked for'),
    );
  };
}

function eachClass<T>(make: (workClass: WorkClass) => T): Record<WorkClass, T> {
  const names = Object.keys(reserves) as WorkClass[];
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<WorkClass, T>;
}

const gatherMs = 1000;

/** Adds numbers up and passes the sum on once in a while; what cannot be passed on is kept for the next time. */
function gather(pass: (sum: number) => void, log: Log): (value: number) => void {
  let sum = 0;
  let isWaiting = false;
  const wait = (): void => {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(() => {
      isWaiting = false;
      try {
        pass(sum);
        sum = 0;
      } catch (thrown) {
        log.debug({ error: String(thrown) }, 'the catalog cannot be told what is stored; again in a moment');
        wait();
      }
    }, gatherMs).unref();
  };
  return (value) => {
    sum += value;
    if (sum !== 0) wait();
  };
}

function fail(log: Log, thrown: unknown): never {
  logRefusal(log, thrown, 'the worker cannot start');
  const { code } = toMirrorError(thrown);
  process.exit(code === 'ERR_CONFIG' || code === 'ERR_QUEUE_UNSAFE' || code === 'ERR_TREE_UNSUITABLE' ? 78 : 1);
}

try {
  const env = readEnv(root);
  const { config, secrets } = parseConfig(env, 'worker', root);
  shareWithSdk(env);
  const log = createLog('worker', config.logLevel);
  await run(log, config, secrets).catch((thrown: unknown) => fail(log, thrown));
} catch (thrown) {
  fail(createLog('worker', 'info'), thrown);
}
