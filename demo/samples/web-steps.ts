/** The steps of the pipeline `web`: lint, build, tests on three Nodes and two systems, four browser shards, a report. */
import { hash } from 'node:crypto';
import type { SampleJob, ScriptJob } from '../standin/sample.ts';
import { coverFiles, lcov, rateOf } from './coverage.ts';
import { type Frame, jobId } from './frame.ts';
import { junitXml } from './junit.ts';
import { addBundle, addInstall, addTests, addText } from './logs.ts';
import { htmlReport } from './report.ts';
import { type Screen, screenshot } from './screens.ts';
import { bundleOf, type FileDraft, jsonFile, notStarted, type ScriptDraft, script, textFile } from './script.ts';
import { people } from './team.ts';
import { runSuite, type TestSuite, webSuites } from './tests.ts';

export function uploadStep(frame: Frame): ScriptJob {
  const command = 'buildkite-agent pipeline upload';
  return script(frame, {
    name: ':pipeline: Upload',
    key: null,
    command,
    start: 2,
    seconds: 4,
    print: (log) =>
      addText(log, ':pipeline: Pipeline', ['Found 14 steps', 'Successfully parsed and uploaded pipeline']),
  });
}

export function lintStep(frame: Frame): ScriptJob {
  const files = [
    jsonFile('reports/eslint.json', { errorCount: 0, warningCount: 2, files: 318, commit: frame.commit }),
    textFile('.eslintcache', `[{"commit":"${frame.commit}"},{"files":318}]`),
  ];
  return script(frame, {
    name: ':eslint: Lint',
    key: 'lint',
    command: 'npm run lint',
    start: 8,
    seconds: 34,
    files,
    print: (log) =>
      addText(addInstall(log, frame.seed), ':eslint: Checking 318 files', [
        '✓ no errors',
        '⚠ 2 warnings, see reports/eslint.json',
      ]),
  });
}

/** @param failing whether the bundler stops at an error */
export function buildStep(frame: Frame, failing = false): ScriptJob {
  const files = failing ? [textFile('build-error.txt', buildError)] : bundleFiles(frame);
  const shown = bundleOf(files.filter((file) => file.path.startsWith('dist/')));
  return script(frame, {
    name: ':package: Build',
    key: 'build',
    command: 'npm run build',
    start: 8,
    seconds: failing ? 21 : 70,
    files,
    exitStatus: failing ? 2 : 0,
    print: (log) =>
      failing
        ? addText(addInstall(log, frame.seed), ':package: Building for production', buildError.split('\n'))
        : addBundle(addInstall(log, frame.seed), shown),
  });
}

const buildError = `✗ Build failed in 1.92s
error during build:
src/checkout/summary.tsx (41:9): "formatMoney" is not exported by "src/money/index.ts"
39: import { useCart } from '../cart/store';
40:
41: import { formatMoney } from '../money';
             ^`;

/** 3 × 2 jobs of one step; each writes the same paths with bytes of its own. */
export function matrixSteps(frame: Frame, failing: readonly string[] = []): ScriptJob[] {
  return ['20', '22', '24'].flatMap((node) =>
    ['linux', 'macos'].map((os) => matrixStep(frame, { node, os }, node === '24' ? failing : [])),
  );
}

function matrixStep(frame: Frame, matrix: { node: string; os: string }, failing: readonly string[]): ScriptJob {
  const variant = `${matrix.node}-${matrix.os}`;
  const seed = `${frame.seed}/${variant}`;
  const suites = webSuites.map((suite) => runSuite(suite, seed, failing));
  const covered = coverFiles(sources, seed, frame.design === 'redesign' ? 0.82 : 0.88);
  return script(frame, {
    name: `:node: Test on Node ${matrix.node}, ${matrix.os}`,
    key: 'test',
    variant,
    command: 'npm test -- --coverage',
    start: 80 + Number(matrix.node) - 20,
    seconds: 45,
    files: [
      { path: 'test-results/junit.xml', content: junitXml('web', suites, frame.createdAt + 120_000, variant) },
      { path: 'coverage/lcov.info', content: lcov(covered) },
      jsonFile('coverage/summary.json', {
        node: matrix.node,
        os: matrix.os,
        lines: Number(rateOf(covered).toFixed(4)),
      }),
    ],
    exitStatus: failing.length > 0 ? 1 : 0,
    print: (log) => addTests(addInstall(log, seed), suites),
    more: { matrix, groupKey: 'tests' },
  });
}

const sources = [
  'cart/store',
  'cart/shipping',
  'checkout/submit',
  'checkout/summary',
  'search/index',
  'money/index',
].map((name) => `src/${name}.ts`);

const shards: readonly (readonly Screen[])[] = [['home'], ['cart', 'home'], ['checkout', 'cart'], ['confirmation']];

/** Four parallel jobs of one step. */
function browserDrafts(frame: Frame): ScriptDraft[] {
  return shards.map((screens, index) => browserDraft(frame, screens, index));
}

export function browserDraft(frame: Frame, screens: readonly Screen[], index: number, failing?: string): ScriptDraft {
  const suite = runSuite(
    webSuites[index] ?? 'catalog',
    `${frame.seed}/browser`,
    failing === undefined ? [] : [failing],
  );
  const files: FileDraft[] = screens.map((screen) => ({
    path: `screenshots/${screen}.png`,
    content: screenshot(screen, frame.design),
  }));
  files.push({
    path: `test-results/browser-${index}.xml`,
    content: junitXml('browser', [suite], frame.createdAt, `shard-${index}`),
  });
  if (index === 1) files.push(...oddlyNamed(frame));
  return {
    name: `:chromium: Browser tests ${index + 1}/4`,
    key: 'browser',
    variant: String(index),
    command: 'npx playwright test --shard=$BUILDKITE_PARALLEL_JOB',
    start: 82 + index,
    seconds: 84 + index * 3,
    files,
    exitStatus: failing === undefined ? 0 : 1,
    print: (log) => addTests(log, [suite]),
    more: { parallel: { index, total: 4 }, groupKey: 'tests' },
  };
}

export function browserSteps(frame: Frame): ScriptJob[] {
  return browserDrafts(frame).map((draft) => script(frame, draft));
}

export function brokenBrowserSteps(frame: Frame): ScriptJob[] {
  return browserDrafts(frame).map((draft) => notStarted(frame, draft, 'broken'));
}

/** Names that people do give to files. */
function oddlyNamed(frame: Frame): FileDraft[] {
  return [
    { path: 'screenshots/Größe „XL“ – 100 %.png', content: screenshot('cart', frame.design) },
    textFile(`exports/orders "Q3" 50%25 #7?.csv`, 'order;total\n1001;€ 12,90\n1002;€ 4,90\n'),
    textFile('exports/日本語 テスト.txt', 'こんにちは、世界\n'),
    textFile("exports/it's & that.txt", 'fish & chips\n'),
  ];
}

function bundleFiles(frame: Frame): FileDraft[] {
  const tag = frame.commit.slice(0, 8);
  const code = (path: string, size: number): FileDraft => textFile(path, sourceText(`${frame.seed}/${path}`, size));
  return [
    textFile(
      'dist/index.html',
      `<!doctype html>\n<title>Acme</title>\n<script type="module" src="/assets/index-${tag}.js"></script>\n`,
    ),
    code(`dist/assets/index-${tag}.js`, 48_213),
    code(`dist/assets/checkout-${tag}.js`, 21_907),
    code(`dist/assets/vendor-${tag}.js`, 141_338),
    textFile(`dist/assets/index-${tag}.css`, '.cart{display:grid;gap:1rem}.checkout{max-width:42rem}\n'),
    { path: 'dist/assets/hero.png', content: screenshot('home', frame.design) },
    jsonFile('dist/manifest.json', { commit: frame.commit, files: 6 }),
    jsonFile('bundle-stats.json', { modules: 904, bytes: 211_458, commit: frame.commit }),
    textFile('.next/BUILD_ID', `${tag}\n`),
    code('.next/static/chunks/main.js', 9120),
    textFile('.next/standalone/.keep', ''),
    textFile(
      'CHANGELOG-preview.md',
      `# Changes\n\n- **${frame.message}** (${frame.author.name})\n\n\`${frame.commit}\`\n`,
    ),
  ];
}

/** Minified-looking text of about that size. */
function sourceText(seed: string, size: number): string {
  const parts: string[] = [];
  for (let length = 0, index = 0; length < size; index += 1) {
    const name = hash('sha1', `${seed}/${index}`, 'hex');
    const part = `export const _${name.slice(0, 12)}=(a,b)=>a.${name.slice(12, 16)}??b["${name.slice(16)}"];\n`;
    parts.push(part);
    length += part.length;
  }
  return parts.join('');
}

export function reportStep(frame: Frame, start = 176): ScriptJob {
  const suites: TestSuite[] = webSuites.map((suite) => runSuite(suite, `${frame.seed}/report`));
  const { branch, commit, design, createdAt } = frame;
  const facts = { title: 'Acme web: test report', branch, commit, design, ranAt: createdAt + start * 1000 };
  const files = htmlReport(suites, facts).map((file) => ({ ...file, path: `report/${file.path}` }));
  return script(frame, {
    name: ':bar_chart: Report',
    key: 'report',
    command: 'npm run report',
    start,
    seconds: 12,
    files,
    print: (log) => addText(log, ':bar_chart: Merging 10 results', ['✓ report/index.html']),
  });
}

/** A step that waits for a person. */
export function deployGate(frame: Frame, open: boolean): SampleJob {
  return {
    type: 'manual',
    id: jobId(frame, 'gate'),
    label: ':rocket: Deploy to production?',
    stepKey: 'gate',
    state: open ? 'unblocked' : 'blocked',
    unblockedBy: open ? people.priya : null,
    unblockedAt: open ? frame.createdAt + 200_000 : null,
  };
}
