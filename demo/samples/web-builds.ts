/** The builds of the pipeline `web`, oldest first. */
import type { SampleAnnotation, SampleBuild, SampleJob, ScriptJob } from '../standin/sample.ts';
import { annotation, buildId, buildOf, type Frame, frameOf, jobId, waiter } from './frame.ts';
import { type FileDraft, script, textFile } from './script.ts';
import { makePipeline, people } from './team.ts';
import {
  brokenBrowserSteps,
  browserDraft,
  browserSteps,
  buildStep,
  deployGate,
  lintStep,
  matrixSteps,
  reportStep,
  uploadStep,
} from './web-steps.ts';

const web = makePipeline('web');
const feature = 'feature/checkout-redesign';
const minute = 60_000;

export function webBuilds(now: number, triggered: SampleBuild): SampleBuild[] {
  return [
    early(now),
    brokenTest(now),
    retried(now),
    pullRequest(now),
    released(now, triggered),
    fork(now),
    brokenBuild(now),
    blocked(now),
  ];
}

function early(now: number): SampleBuild {
  const message = 'Cart: recalculate shipping on the server';
  const frame = frameOf({ pipeline: web, number: 1401, branch: 'main', message, createdAt: now - 2900 * minute });
  const jobs = [
    uploadStep(frame),
    lintStep(frame),
    buildStep(frame),
    waiter(frame, 'wait'),
    ...matrixSteps(frame),
    reportStep(frame),
  ];
  return buildOf(frame, { jobs, state: 'passed', seconds: 192, annotations: [goodNews(frame)] });
}

function brokenTest(now: number): SampleBuild {
  const message = 'Checkout: new summary, first go';
  const author = people.jonas;
  const frame = frameOf({
    pipeline: web,
    number: 1402,
    branch: feature,
    message,
    author,
    createdAt: now - 1490 * minute,
  });
  const failing = [
    'recalculates shipping when the country changes',
    'sends one order when the button is pressed twice',
  ];
  const tests = matrixSteps(frame, failing);
  const jobs = [
    uploadStep(frame),
    lintStep(frame),
    buildStep(frame),
    waiter(frame, 'wait'),
    ...tests,
    waiter(frame, 'wait 2'),
    ...brokenBrowserSteps(frame),
  ];
  const list = failing.map((name) => `<li><code>${name}</code></li>`).join('');
  const bodyHtml = `<p><strong>2 tests failed</strong> on Node 24</p><ul>${list}</ul><p><a href="artifact://test-results/junit.xml">junit.xml</a></p>`;
  const failed = tests.find((job) => job.exitStatus !== 0);
  const annotations = [
    annotation(frame, { context: 'tests', style: 'error', bodyHtml }),
    annotation(frame, {
      context: 'node',
      style: 'warning',
      jobId: failed?.id ?? null,
      bodyHtml: '<p>Node 24 only</p>',
    }),
  ];
  return buildOf(frame, { jobs, state: 'failed', seconds: 141, annotations });
}

/** A browser shard failed, was tried again by itself, and passed. */
function retried(now: number): SampleBuild {
  const message = 'Checkout: one order, however often one clicks';
  const author = people.jonas;
  const frame = frameOf({
    pipeline: web,
    number: 1403,
    branch: feature,
    message,
    author,
    createdAt: now - 1210 * minute,
  });
  const [first, second, third, fourth] = browserSteps(frame);
  const jobs = [
    ...checks(frame),
    ...[first, second].filter((job) => job !== undefined),
    ...attempts(frame, third),
    ...[fourth].filter((job) => job !== undefined),
    waiter(frame, 'wait 2'),
    reportStep(frame, 300),
  ];
  return buildOf(frame, { jobs, state: 'passed', seconds: 314, annotations: [goodNews(frame)] });
}

function attempts(frame: Frame, passed: ScriptJob | undefined): ScriptJob[] {
  if (passed === undefined) return [];
  const failing = 'sends one order when the button is pressed twice';
  const draft = browserDraft(frame, ['checkout'], 2, failing);
  const evidence: FileDraft[] = [
    textFile('test-results/trace.txt', 'click #pay\nclick #pay\nPOST /orders 201\nPOST /orders 201\n'),
    // Its upload failed: upstream lists it, and there is nothing to fetch.
    { path: 'videos/checkout-double-click.webm', content: { seed: 'video', size: 1_248_512 }, state: 'error' },
  ];
  const failed = script(frame, { ...draft, variant: '2-first', files: [...(draft.files ?? []), ...evidence] });
  const again = { jobId: failed.id, retryType: 'automatic' } as const;
  const shift = 100_000;
  const later = (time: number | null): number | null => (time === null ? null : time + shift);
  return [
    { ...failed, retriedInJobId: passed.id, retryType: 'automatic' },
    {
      ...passed,
      retriesCount: 1,
      retrySource: again,
      createdAt: passed.createdAt + shift,
      startedAt: later(passed.startedAt),
      finishedAt: later(passed.finishedAt),
    },
  ];
}

function pullRequest(now: number): SampleBuild {
  const message = 'Checkout: address the review';
  const author = people.jonas;
  const frame = frameOf({
    pipeline: web,
    number: 1404,
    branch: feature,
    message,
    author,
    createdAt: now - 640 * minute,
  });
  const jobs = [...checks(frame), ...browserSteps(frame), waiter(frame, 'wait 2'), reportStep(frame)];
  return buildOf(frame, {
    jobs,
    state: 'passed',
    seconds: 194,
    pullRequest: { id: '318', base: 'main', repository: 'git://github.com/acme/web.git' },
    annotations: [goodNews(frame)],
  });
}

/** Merged, let through by a person, and followed by a build of the other pipeline. */
function released(now: number, triggered: SampleBuild): SampleBuild {
  const message = 'Merge pull request #318 from acme/feature/checkout-redesign';
  const frame = frameOf({ pipeline: web, number: 1405, branch: 'main', message, createdAt: now - 610 * minute });
  const { createdAt } = frame;
  const trigger: SampleJob = {
    type: 'trigger',
    id: jobId(frame, 'trigger'),
    name: ':arrow_right: Release the API',
    stepKey: 'release-api',
    state: 'passed',
    async: false,
    createdAt,
    startedAt: createdAt + 201_000,
    finishedAt: createdAt + 330_000,
    triggered: { id: triggered.id, number: triggered.number, pipeline: triggered.pipeline.slug },
  };
  const jobs = [
    ...checks(frame),
    ...browserSteps(frame),
    waiter(frame, 'wait 2'),
    reportStep(frame),
    deployGate(frame, true),
    trigger,
  ];
  return buildOf(frame, { jobs, state: 'passed', seconds: 331, annotations: [goodNews(frame)] });
}

/** From somebody else's repository: whatever its branch is called, it never counts as ours. */
function fork(now: number): SampleBuild {
  const message = 'Docs: fix a typo';
  const author = people.tomas;
  const branch = 'lena-dev:main';
  const frame = frameOf({ pipeline: web, number: 1406, branch, message, author, createdAt: now - 420 * minute });
  const pullRequest = { id: '321', base: 'main', repository: 'git://github.com/lena-dev/web.git' };
  return buildOf(frame, {
    jobs: [uploadStep(frame), lintStep(frame), buildStep(frame)],
    state: 'passed',
    seconds: 80,
    pullRequest,
  });
}

function brokenBuild(now: number): SampleBuild {
  const message = 'Money: one way to format it';
  const author = people.tomas;
  const frame = frameOf({
    pipeline: web,
    number: 1407,
    branch: 'main',
    message,
    author,
    createdAt: now - 130 * minute,
  });
  const build = buildStep(frame, true);
  const bodyHtml = `<p>The build failed: <a href="artifact://build-error.txt">build-error.txt</a></p>`;
  return buildOf(frame, {
    jobs: [uploadStep(frame), lintStep(frame), build, waiter(frame, 'wait'), ...brokenBrowserSteps(frame)],
    state: 'failed',
    seconds: 44,
    source: 'ui',
    rebuiltFrom: { id: buildId(frameOf({ ...frame, number: 1405 })), number: 1405 },
    annotations: [annotation(frame, { context: 'build', style: 'error', bodyHtml })],
  });
}

/** Done so far, and waiting for a person: upstream calls it passed, and blocked. */
function blocked(now: number): SampleBuild {
  const message = 'Money: export formatMoney again';
  const author = people.tomas;
  const frame = frameOf({ pipeline: web, number: 1408, branch: 'main', message, author, createdAt: now - 25 * minute });
  const jobs = [...checks(frame), reportStep(frame), deployGate(frame, false)];
  return buildOf(frame, { jobs, state: 'passed', blocked: true, seconds: 190 });
}

function checks(frame: Frame): SampleJob[] {
  return [uploadStep(frame), lintStep(frame), buildStep(frame), waiter(frame, 'wait'), ...matrixSteps(frame)];
}

function goodNews(frame: Frame): SampleAnnotation {
  const picture = '<img src="artifact://report/img/trend.png" alt="Pass rate" height="140">';
  const bodyHtml = `<p>All suites passed: <a href="artifact://report/index.html">the report</a></p>${picture}`;
  return annotation(frame, { context: 'report', style: 'success', bodyHtml });
}
