/**
 * `npm run demo`: the main job, end to end. The bundled stand-in plays Buildkite; Redis, receiver, gateway, worker and
 * Lighttpd are the real ones. Signed webhooks of the sample builds go in at the front door, and each build is there
 * under its public address a moment later.
 *   --once      then fetches and compares every byte, ends all, exit 0 or 1
 *   --tls       over https, with a certificate made for this run
 *   --json      JSON lines on stdout
 *   --verbose   what the programs log too (on stderr)
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnv } from '../src/config.ts';
import { toMirrorError } from '../src/errors.ts';
import { lighttpdNeed, lighttpdTlsNeed, opensslNeed, redisNeed } from '../src/programs.ts';
import { ensurePrograms } from '../src/supervise/install.ts';
import { createPrinter, type Printer } from '../src/supervise/lines.ts';
import { type Leave, leaveOnSignals } from '../src/supervise/signals.ts';
import { type Stack, startStack } from '../src/supervise/stack.ts';
import { certificateIn, makeCertificate } from './certificate.ts';
import { checkAll } from './check.ts';
import { demoFolder, emptyFolder, removeFolder } from './folder.ts';
import { deliverAll, type Mirrored, untilMirrored } from './follow.ts';
import { sampleBuilds } from './samples/builds.ts';
import { type DemoSettings, demoSettings } from './settings.ts';
import { createShow, type Show } from './show.ts';
import type { SampleBuild } from './standin/sample.ts';
import { createStandIn } from './standin/server.ts';

const root = join(import.meta.dirname, '..');
const mirroredWithinMs = 120_000;
/** Where people expect it; the next free one is taken when it is not. `--once` takes any: nobody is to open it. */
const wantedPort = 8080;
const usage = 'Usage: npm run demo [-- --once] [--tls] [--json] [--verbose]\n';

const machine = readEnv(root);
process.exitCode = await main();

interface Options {
  readonly once: boolean;
  readonly tls: boolean;
  readonly json: boolean;
  readonly verbose: boolean;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const write = (line: string): boolean => process.stdout.write(`${line}\n`);
  const show = createShow(write, { json: options.json, color: process.stdout.isTTY && !machine.NO_COLOR });
  const leave = leaveOnSignals();
  const builds = sampleBuilds({ now: Date.now() });
  const standIn = createStandIn({ limits: null });
  for (const build of builds) standIn.put(build);
  try {
    show.title(`Kitemirror, end to end: ${builds.length} builds of a made-up team`);
    const upstream = await standIn.start();
    await ensurePrograms(options.tls ? [redisNeed, lighttpdTlsNeed, opensslNeed] : [redisNeed, lighttpdNeed], {
      root,
      env: machine,
      isRoot: process.getuid?.() === 0,
      say: (line) => show.fact('missing', line, { line }),
    });
    const folder = await demoFolder(root, options.once);
    const organization = builds[0]?.organization.slug ?? '';
    const port = options.once ? 0 : wantedPort;
    const tls = options.tls ? certificateIn(folder.path) : null;
    const settings = await demoSettings(machine, folder.path, organization, upstream, port, tls);
    await emptyFolder(settings.env, root);
    if (tls !== null) {
      await makeCertificate(tls, machine.PATH ?? '');
      show.fact('tls', `a certificate of its own, which browsers do not know: ${tls.cert}`, { cert: tls.cert });
    }
    show.fact('upstream', `${upstream.apiUrl} (the bundled stand-in for Buildkite, its request limits lifted)`, {
      url: upstream.apiUrl,
    });
    show.fact('data', folder.told, { folder: folder.path });
    const code = await withStack(settings, leave, show, options, (stack) =>
      mirror(settings, builds, stack, leave, show, options),
    );
    if (options.once && code === 0) await removeFolder(folder.path);
    return code;
  } catch (error) {
    if (leave.signal.aborted) return options.once ? 130 : 0;
    show.fault(toMirrorError(error).message);
    return toMirrorError(error).code === 'ERR_PROGRAM_MISSING' ? 78 : 1;
  } finally {
    await standIn.stop();
  }
}

async function withStack(
  settings: DemoSettings,
  leave: Leave,
  show: Show,
  options: Options,
  use: (stack: Stack) => Promise<number>,
): Promise<number> {
  const startedAt = performance.now();
  const stack = await startStack({ root, env: settings.env, printer: printer(options), signal: leave.signal });
  leave.forceWith(stack);
  try {
    const names = Object.keys(stack.pids()).join(', ');
    show.fact('running', `${names} (ready in ${secondsSince(startedAt).toFixed(1)} s)`, { programs: stack.pids() });
    return await Promise.race([use(stack), stack.broken.then((fault) => Promise.reject(fault))]);
  } finally {
    await stack.stop();
  }
}

/** Delivers, follows, and then stays up or checks. @returns the exit code */
async function mirror(
  settings: DemoSettings,
  builds: readonly SampleBuild[],
  stack: Stack,
  leave: Leave,
  show: Show,
  { once }: Options,
): Promise<number> {
  show.columns();
  const startedAt = performance.now();
  const until = AbortSignal.any([AbortSignal.timeout(mirroredWithinMs), leave.signal]);
  const accepted = await deliverAll(settings.url, builds, settings.webhookToken);
  const follow = async (build: SampleBuild): Promise<Mirrored> => {
    const mirrored = await untilMirrored(settings.url, build, accepted.get(build) ?? Date.now(), until);
    show.mirrored(mirrored);
    return mirrored;
  };
  const mirrored = await Promise.all(builds.map(follow));
  show.done(mirrored, secondsSince(startedAt), performance.now() / 1000);
  if (once) {
    const checkedAt = performance.now();
    const totals = await checkAll(settings.url, builds);
    show.checked(totals, secondsSince(checkedAt));
    return totals.faults.length === 0 ? 0 : 1;
  }
  show.open(`${stack.config.url.origin}/`);
  await leave.asked;
  return 0;
}

function printer({ verbose, json }: Options): Printer {
  const isText = process.stderr.isTTY && !json;
  return createPrinter({
    write: (line) => process.stderr.write(`${line}\n`),
    format: json ? 'json' : 'text',
    color: isText && !machine.NO_COLOR,
    least: verbose ? 'info' : 'warn',
  });
}

/** The options, or the exit code where there is nothing more to do. */
function readOptions(): Options | number {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({
      options: { once: flag, tls: flag, json: flag, verbose: flag, help: { ...flag, short: 'h' } },
    });
    if (!values.help) return values;
    process.stdout.write(usage);
    return 0;
  } catch (error) {
    process.stderr.write(`demo: ${toMirrorError(error).message}\n${usage}`);
    return 64;
  }
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}
