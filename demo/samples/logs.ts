/** What the sample jobs print: preparation, commands, tests, uploads. */
import { bold, LogWriter, paint } from './log-writer.ts';
import { randomFrom } from './random.ts';
import { type TestSuite, totalsOf } from './tests.ts';

export interface LogFacts {
  readonly startedAt: number;
  readonly pipeline: string;
  readonly branch: string;
  readonly commit: string;
  readonly agent: string;
  readonly command: string;
}

/** What the agent prints before a job's own commands. */
export function beginLog(facts: LogFacts): LogWriter {
  const short = facts.commit.slice(0, 7);
  return new LogWriter(facts.startedAt)
    .group('~~~', 'Preparing working directory')
    .command(`cd /var/lib/buildkite-agent/builds/${facts.agent}-1/acme/${facts.pipeline}`)
    .command('git clean -ffxdq')
    .command(`git fetch -v --prune -- origin ${facts.commit}`)
    .line(`From github.com:acme/${facts.pipeline}`, 420)
    .line(` * branch            ${facts.commit} -> FETCH_HEAD`)
    .command(`git checkout -f ${facts.commit}`)
    .line(`HEAD is now at ${short} ${facts.branch === 'main' ? 'Merge pull request' : 'Work in progress'}`, 160)
    .line(paint('grey', '# Cleaning again to catch any post-checkout changes'))
    .command('git clean -ffxdq')
    .group('~~~', 'Running commands')
    .command(facts.command);
}

export function addInstall(log: LogWriter, seed: string): LogWriter {
  const random = randomFrom(seed);
  const total = random.whole(640, 980);
  const bar = (part: number): string => {
    const full = Math.round(part * 24);
    return `${paint('cyan', '█'.repeat(full))}${paint('grey', '░'.repeat(24 - full))}`;
  };
  const states = [0.08, 0.21, 0.37, 0.52, 0.7, 0.86, 1].map(
    (part) => `${bar(part)} ${Math.round(part * total)}/${total} packages`,
  );
  return log
    .group('---', ':npm: Installing dependencies')
    .progress(states)
    .line(`added ${total} packages in ${random.whole(6, 14)}s`, 300)
    .line(`${paint('yellow', 'npm warn')} deprecated inflight@1.0.6: this module is not supported, and leaks memory`);
}

export function addTests(log: LogWriter, suites: readonly TestSuite[]): LogWriter {
  const { tests, failures, skipped, seconds } = totalsOf(suites);
  log.group(failures > 0 ? '---' : '+++', ':test_tube: Running tests').line();
  for (const suite of suites) {
    log.line(bold(suite.file), 30);
    for (const each of suite.cases) {
      const mark = { passed: paint('green', '✓'), failed: paint('red', '✗'), skipped: paint('yellow', '○') }[
        each.outcome
      ];
      const milliseconds = Math.round(each.seconds * 1000);
      log.line(`  ${mark} ${each.name} ${paint('grey', `(${milliseconds} ms)`)}`, milliseconds);
      if (each.failure !== null) {
        log.lines(each.failure.trace.split('\n').map((row) => `      ${paint('red', row)}`));
      }
    }
  }
  log
    .line()
    .line(`${bold('Tests')}  ${summary(tests, failures, skipped)}`, 20)
    .line(`${bold('Time')}   ${seconds.toFixed(2)} s`);
  return failures > 0 ? log.open() : log;
}

function summary(tests: number, failures: number, skipped: number): string {
  const parts = [paint('green', `${tests - failures - skipped} passed`)];
  if (failures > 0) parts.unshift(paint('red', `${failures} failed`));
  if (skipped > 0) parts.push(paint('yellow', `${skipped} skipped`));
  return `${parts.join(', ')}, ${tests} total`;
}

export function addBundle(
  log: LogWriter,
  files: readonly { readonly path: string; readonly size: number }[],
): LogWriter {
  log
    .group('+++', ':package: Building for production')
    .line(`${paint('magenta', 'vite v7.1.2')} building for production…`, 60);
  log.progress([120, 388, 671, 904].map((modules) => `transforming (${modules}) src/checkout/summary.tsx`));
  log.line(`${paint('green', '✓')} 904 modules transformed.`, 700);
  for (const { path, size } of files) {
    log.line(
      `${paint('grey', 'dist/')}${paint('cyan', path.padEnd(34))} ${bold(`${(size / 1024).toFixed(2).padStart(8)} kB`)}`,
      4,
    );
  }
  return log.line(paint('green', '✓ built in 4.81s'), 500);
}

export function addText(log: LogWriter, title: string, rows: readonly string[]): LogWriter {
  return log.group('+++', title).lines(rows, 70);
}

/** What the agent prints at the end. */
export function endLog(log: LogWriter, artifacts: number, exitStatus: number): Buffer {
  if (exitStatus !== 0) log.line(paint('red', `🚨 Error: The command exited with status ${exitStatus}`), 30).open();
  if (artifacts > 0) {
    log.group('~~~', 'Uploading artifacts');
    log.agent(`Found ${artifacts} files that match`, 60);
    log.agent(`Creating (0-${artifacts})/${artifacts} artifacts`, 90);
    log.agent('Artifact uploads completed successfully', 900);
  }
  return log.toBuffer();
}
