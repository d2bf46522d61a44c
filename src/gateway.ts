/**
 * The gateway program: what readers ask that is not a file. Holds no token of Buildkite's and writes no record.
 * exit 0: ended in order · 1: something broke · 78: only an operator can mend it
 */
import { join } from 'node:path';
import { type Config, parseConfig, readEnv, type Secrets } from './config.ts';
import { toMirrorError } from './errors.ts';
import { createHttpServer, formatListen, listen } from './http.ts';
import { createLog, type Log, logRefusal } from './log.ts';
import { createSearcher } from './logs/searcher.ts';
import { openQueue } from './queue/queue.ts';
import { catalogSource } from './readers/catalog-source.ts';
import { pageCache } from './readers/page-cache.ts';
import { createReaders } from './readers/readers.ts';
import { createStopper, stopOnSignals } from './stop.ts';
import { dataPaths } from './tree/paths.ts';

const root = join(import.meta.dirname, '..');
const graceMs = 5000;

async function run(log: Log, config: Config, secrets: Secrets): Promise<void> {
  const stopper = createStopper(log, graceMs + 1000);
  stopOnSignals(stopper, { watchStdin: process.argv.includes('--supervised') });
  const paths = dataPaths(config.dataRoot);
  const catalog = catalogSource(paths.catalog);
  stopper.add('catalog', () => catalog.close());
  const searcher = createSearcher();
  stopper.add('searches', () => searcher.close());
  const queue = openQueue({ url: secrets.redisUrl?.reveal() ?? `unix://${join(config.runDir, 'redis.sock')}` }, log);
  stopper.add('queue', () => queue.close());
  const app = createReaders({
    paths,
    catalog: () => catalog.current(),
    pages: pageCache(paths, log),
    searcher,
    queue,
    organization: config.organization,
    url: config.url.href,
    log,
  });
  const serving = await listen(createHttpServer(app), config.gatewayListen);
  stopper.add('readers', () => serving.close(graceMs));
  log.info({ listen: formatListen(serving.address), organization: config.organization }, 'gateway ready');
}

function fail(log: Log, thrown: unknown): never {
  logRefusal(log, thrown, 'the gateway cannot start');
  process.exit(toMirrorError(thrown).code === 'ERR_CONFIG' ? 78 : 1);
}

try {
  const { config, secrets } = parseConfig(readEnv(root), 'gateway', root);
  const log = createLog('gateway', config.logLevel);
  await run(log, config, secrets).catch((thrown: unknown) => fail(log, thrown));
} catch (thrown) {
  fail(createLog('gateway', 'info'), thrown);
}
