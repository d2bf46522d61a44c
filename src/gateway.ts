/** The gateway: answers what readers ask that is not a file. `--supervised`: ends with whoever holds its stdin. */
import { join } from 'node:path';
import { parseConfig, readEnv } from './config.ts';
import { toMirrorError } from './errors.ts';
import { createHttpServer, formatListen, listen } from './http.ts';
import { createLog } from './log.ts';
import { catalogSource } from './readers/catalog-source.ts';
import { pageCache } from './readers/page-cache.ts';
import { createReaders } from './readers/readers.ts';
import { createStopper, stopOnSignals } from './stop.ts';
import { dataPaths } from './tree/paths.ts';

const root = join(import.meta.dirname, '..');

async function main(): Promise<void> {
  const { config } = parseConfig(readEnv(root), 'gateway', root);
  const log = createLog('gateway', config.logLevel);
  const stopper = createStopper(log);
  stopOnSignals(stopper, { watchStdin: process.argv.includes('--supervised') });
  const paths = dataPaths(config.dataRoot);
  const catalog = catalogSource(paths.catalog);
  stopper.add('catalog', () => catalog.close());
  const { organization } = config;
  const app = createReaders({
    paths,
    catalog: () => catalog.current(),
    pages: pageCache(paths, log),
    organization,
    url: config.url.href,
    log,
  });
  const listening = await listen(createHttpServer(app), config.gatewayListen);
  stopper.add('listener', () => listening.close());
  log.info({ listen: formatListen(listening.address) }, 'the gateway listens');
}

try {
  await main();
} catch (thrown) {
  const { code, message } = toMirrorError(thrown);
  process.stderr.write(`gateway: ${message}\n`);
  process.exit(code === 'ERR_CONFIG' ? 78 : 1);
}
