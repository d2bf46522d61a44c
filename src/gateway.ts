/**
 * The gateway program: what readers ask that is not a file. Holds no token of Buildkite's and writes no record.
 * exit 0: ended in order · 1: something broke · 78: only an operator can mend it
 */
import { join } from 'node:path';
import { asksNoRefresh } from './config/identity.ts';
import { followPolicy } from './config/retention.ts';
import { parseConfig, readEnv } from './config.ts';
import { toMirrorError } from './errors.ts';
import { createHttpServer, formatListen, listen } from './http.ts';
import { ciVerifier } from './identity/ci.ts';
import { openKeeper } from './identity/keeper.ts';
import { openPeople } from './identity/people.ts';
import { openRegrouping } from './identity/regrouping.ts';
import { createLog, type Log, logError, logRefusal } from './log.ts';
import { createPartReader } from './logs/part-reader.ts';
import { createSearcher } from './logs/searcher.ts';
import { offerAccount } from './pages/layout.ts';
import { createMarkupRenderer } from './pages/markup-renderer.ts';
import { openQueue } from './queue/queue.ts';
import { catalogSource } from './readers/catalog-source.ts';
import type { ReaderIdentity } from './readers/identity.ts';
import { pageCache } from './readers/page-cache.ts';
import { createReaders } from './readers/readers.ts';
import { createWatch } from './readers/watching.ts';
import { createReportReader } from './reports/report-reader.ts';
import { fillLabels } from './search/fill-labels.ts';
import { openSearch } from './search/search.ts';
import { createStopper, type Stopper, stopOnSignals } from './stop.ts';
import { hasOurFormat } from './tree/data.ts';
import { type DataPaths, dataPaths } from './tree/paths.ts';
import { ruleNow } from './tree/retention.ts';

const root = join(import.meta.dirname, '..');
const graceMs = 5000;
const refreshMs = 1000;
/** A change of groups counts within a minute. */
const regroupMs = 40_000;

async function run(log: Log, settings: ReturnType<typeof parseConfig>): Promise<void> {
  const { config, secrets } = settings;
  const stopper = createStopper(log, graceMs + 1000);
  stopOnSignals(stopper, log, { watchStdin: process.argv.includes('--supervised') });
  const paths = dataPaths(config.dataRoot);
  await hasOurFormat(paths);
  const catalog = catalogSource(paths.catalog);
  stopper.add('catalog', () => catalog.close());
  const searcher = createSearcher();
  stopper.add('searches', () => searcher.close());
  const logParts = createPartReader();
  stopper.add('parts of logs', () => logParts.close());
  const reports = createReportReader();
  stopper.add('reports', () => reports.close());
  const markup = createMarkupRenderer();
  stopper.add('markup', () => markup.close());
  const queue = openQueue(() => secrets.redisUrl?.reveal() ?? `unix://${join(config.runDir, 'redis.sock')}`, log);
  stopper.add('queue', () => queue.close());
  const search = openSearch(paths.search, { readOnly: true });
  stopper.add('search', () => search.close());
  const identity = await openIdentity(settings, paths, log, stopper);
  if (identity !== null) void labelOldBuilds(paths, log);
  const app = createReaders({
    paths,
    search,
    catalog: () => catalog.current(),
    pages: pageCache(paths, log),
    searcher,
    logParts,
    reports,
    markup,
    queue,
    watch: createWatch(queue),
    organization: config.organization,
    url: config.url.href,
    // Faults of the file are the worker's to tell.
    ruleFor: ruleNow(followPolicy(config.retention, () => undefined)),
    opensReports: config.contentUrl !== null,
    log,
    identity,
  });
  const serving = await listen(createHttpServer(app), config.gatewayListen);
  stopper.add('readers', () => serving.close(graceMs));
  log.info({ listen: formatListen(serving.address), organization: config.organization }, 'gateway ready');
}

/** @returns null where identity is off */
async function openIdentity(
  { config, secrets }: ReturnType<typeof parseConfig>,
  paths: DataPaths,
  log: Log,
  stopper: Stopper,
): Promise<ReaderIdentity | null> {
  const { identity, url, organization, contentUrl } = config;
  if (identity === null) return null;
  const { policyFile, isSecure, people, ci } = identity;
  offerAccount();
  const keeper = await openKeeper({ paths, policyFile, log });
  const signIn = people === null ? null : openPeople(people, secrets.oidcClientSecret);
  const regroup = await openRegrouping(keeper, signIn, paths, log);
  const looking = setInterval(() => void keeper.refresh(), refreshMs);
  const asking = setInterval(() => void regroup.round(), regroupMs);
  stopper.add('identity', () => [looking, asking].forEach(clearInterval));
  if (asksNoRefresh(people) && keeper.namesGroups())
    log.warn(
      'groups may stay those of the last login once an access token ends: KITEMIRROR_OIDC_SCOPES has no offline_access',
    );
  if (policyFile === null) log.warn('there is no KITEMIRROR_POLICY: who signs in reads nothing');
  return {
    keeper,
    isSecure,
    contentUrl,
    hasLogin: people !== null,
    people: signIn,
    assertionHeader: people?.assertion?.header ?? null,
    sessionSeconds: people?.sessionSeconds ?? 0,
    verifyJob: ciVerifier(ci, url.origin, organization),
    onSignIn: (signedIn) => regroup.add(signedIn),
    onLink: (subject, expires) => regroup.askUntil(subject, expires),
  };
}

/** A catalog of its own: the readers' is closed and opened again while this goes on. */
async function labelOldBuilds(paths: DataPaths, log: Log): Promise<void> {
  const own = catalogSource(paths.catalog);
  try {
    const catalog = own.current();
    const filled = catalog === null ? 0 : await fillLabels(paths, catalog);
    if (filled > 0) log.info({ builds: filled }, 'older builds have their access labels now');
  } catch (thrown) {
    logError(log, thrown, 'older builds were not all given their access labels');
  } finally {
    own.close();
  }
}

function fail(log: Log, thrown: unknown): never {
  logRefusal(log, thrown, 'the gateway cannot start');
  const { code } = toMirrorError(thrown);
  process.exit(code === 'ERR_CONFIG' || code === 'ERR_TREE_UNSUITABLE' ? 78 : 1);
}

try {
  const settings = parseConfig(readEnv(root), 'gateway', root);
  const log = createLog('gateway', settings.config.logLevel);
  await run(log, settings).catch((thrown: unknown) => fail(log, thrown));
} catch (thrown) {
  fail(createLog('gateway', 'info'), thrown);
}
