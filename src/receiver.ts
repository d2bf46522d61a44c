/**
 * The receiver program: webhooks and nothing else. Holds the webhook's secrets, writes the journal, fills the queue,
 * and tells Prometheus what is global.
 * exit 0: ended in order · 1: something broke · 78: only an operator can mend it
 */
import { join } from 'node:path';
import { Registry } from 'prom-client';
import type { ProofRule } from './buildkite/signature.ts';
import { type Config, parseConfig, readEnv, type Secrets } from './config.ts';
import { MirrorError, toMirrorError } from './errors.ts';
import { createHttpServer, formatListen, listen } from './http.ts';
import { grantsRightAt } from './identity/grants.ts';
import { createLog, type Log, logError, logRefusal } from './log.ts';
import type { GlobalSources } from './metrics/globals.ts';
import { receiverMetrics } from './metrics/receiver.ts';
import { processMetrics, type Readiness, serveMetrics } from './metrics/serve.ts';
import type { Hint } from './model.ts';
import { openQueue, type TaskQueue } from './queue/queue.ts';
import { openCatalog } from './search/catalog.ts';
import { createStopper, stopOnSignals } from './stop.ts';
import { hasOurFormat } from './tree/data.ts';
import { readFreeBytes } from './tree/free.ts';
import { createGapReader } from './tree/gaps.ts';
import { type Journal, openJournal } from './tree/journal.ts';
import { isMirrored } from './tree/mirrored.ts';
import { type DataPaths, dataPaths } from './tree/paths.ts';
import { readReconciledUntil, readReconcileState } from './tree/reconcile-state.ts';
import { createReserve, type Reserve } from './tree/reserve.ts';
import { readWebhookState } from './tree/webhook-state.ts';
import { createReceiverApp } from './webhooks/app.ts';
import { watchEviction } from './webhooks/eviction.ts';
import { Pump } from './webhooks/pump.ts';
import { readReadiness } from './webhooks/readiness.ts';

const root = join(import.meta.dirname, '..');

/** Lighttpd hands over whole bodies; who sends to this port directly has this long. */
const slowClients = { headMs: 5000, requestMs: 10_000 };
/** Together with the queue's two seconds well below the ten that the supervisor grants. */
const graceMs = 3000;
const reserveEveryMs = 5000;

async function run(log: Log, config: Config, secrets: Secrets): Promise<void> {
  const stopper = createStopper(log, graceMs + 1000);
  stopOnSignals(stopper, log, { watchStdin: process.argv.includes('--supervised') });
  const paths = dataPaths(config.dataRoot);
  await hasOurFormat(paths);

  const journal = await openJournal(paths.spool, { log });
  stopper.add('journal', () => journal.close());
  const queue = openQueue(() => secrets.redisUrl?.reveal() ?? `unix://${join(config.runDir, 'redis.sock')}`, log);
  stopper.add('queue', () => queue.close());
  const pump = new Pump({
    journal,
    queue,
    log,
    isDone: (hint) => isMirrored(paths, hint),
    reconciledUntil: () => readReconciledUntil(paths),
  });
  stopper.add('pump', () => pump.stop());
  await pump.start();
  const eviction = watchEviction(queue, log);
  stopper.add('eviction', () => eviction.stop());

  const reserve = createReserve(paths);
  const lookAtReserve = (): void => void reserve.look().catch((error: unknown) => logError(log, error, 'the reserve'));
  lookAtReserve();
  const looking = setInterval(lookAtReserve, reserveEveryMs);
  stopper.add('reserve', () => clearInterval(looking));

  const registry = new Registry();
  processMetrics(registry);
  const metrics = receiverMetrics(registry, globalSources(paths, journal, queue, config.identity !== null), log);
  const readyz = (): Promise<Readiness> => readReadiness(journal, pump, eviction, Date.now());
  if (config.metricsListen !== null) {
    const serving = await serveMetrics(registry, config.metricsListen, { readyz });
    stopper.add('metrics', () => serving.close(graceMs));
  }

  const app = createReceiverApp({
    organization: config.organization,
    proofRule: proofRule(config, secrets),
    accept: (hint) => appendTo(journal, hint, reserve, log),
    readiness: readyz,
    metrics,
    log,
  });
  const serving = await listen(createHttpServer(app, slowClients), config.receiverListen);
  stopper.add('webhooks', () => serving.close(graceMs));
  log.info({ listen: formatListen(serving.address), organization: config.organization }, 'receiver ready');
}

/** On a full disk once more, in the room that is kept for it. */
async function appendTo(journal: Journal, hint: Hint, reserve: Reserve, log: Log): ReturnType<Journal['append']> {
  try {
    return await journal.append(hint);
  } catch (thrown) {
    if (toMirrorError(thrown).details['errno'] !== 'ENOSPC' || !reserve.release()) throw thrown;
    log.warn('the disk is full: the room that is kept for the journal is used up now');
    return journal.append(hint);
  }
}

function proofRule({ webhookMode: mode }: Config, { webhookTokens }: Secrets): () => ProofRule {
  if (webhookTokens === null) throw new MirrorError('ERR_CONFIG', 'BUILDKITE_WEBHOOK_TOKEN is required');
  return () => ({ mode, secrets: webhookTokens.revealAll() });
}

function globalSources(paths: DataPaths, journal: Journal, queue: TaskQueue, hasIdentity: boolean): GlobalSources {
  return {
    tasks: () => queue.counts(),
    budgets: () => queue.budgets(),
    gaps: createGapReader(paths),
    // Opened anew each time: workers may have made the catalog since, or made it again.
    totals: async () => {
      const catalog = openCatalog(paths.catalog, { readOnly: true });
      try {
        return catalog.totals();
      } finally {
        catalog.close();
      }
    },
    diskFreeBytes: () => readFreeBytes(paths.root),
    reconciledAt: async () => {
      const completed = (await readReconcileState(paths))?.completed ?? null;
      return completed === null ? null : Date.parse(completed.endedAt);
    },
    // The receiver tells it, because the gateway is what may be gone.
    grantsRightAt: async () => (hasIdentity ? grantsRightAt(paths) : null),
    webhookHealthy: async () => (await readWebhookState(paths))?.healthy ?? null,
    journalEntries: () => journal.entries,
  };
}

function fail(log: Log, thrown: unknown): never {
  logRefusal(log, thrown, 'the receiver cannot start');
  const { code } = toMirrorError(thrown);
  process.exit(code === 'ERR_CONFIG' || code === 'ERR_TREE_UNSUITABLE' ? 78 : 1);
}

try {
  const { config, secrets } = parseConfig(readEnv(root), 'receiver', root);
  const log = createLog('receiver', config.logLevel);
  await run(log, config, secrets).catch((thrown: unknown) => fail(log, thrown));
} catch (thrown) {
  fail(createLog('receiver', 'info'), thrown);
}
