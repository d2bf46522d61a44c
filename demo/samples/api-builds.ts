/** The builds of the pipeline `api`, oldest first. */
import { digestOf } from '../standin/bytes.ts';
import type { SampleBuild, ScriptJob } from '../standin/sample.ts';
import { cobertura, coverFiles } from './coverage.ts';
import { annotation, buildOf, type Frame, frameOf, waiter } from './frame.ts';
import { junitXml } from './junit.ts';
import { addInstall, addTests, addText } from './logs.ts';
import { jsonFile, notStarted, script, textFile } from './script.ts';
import { makePipeline, people } from './team.ts';
import { apiSuites, runSuite } from './tests.ts';

const api = makePipeline('api');
const minute = 60_000;
const imageBytes = 48 * 1024 * 1024;

/** Passed on main with a large image · failed on the branch · released by a build of `web`. */
export function apiBuilds(now: number): { passed: SampleBuild; failed: SampleBuild; released: SampleBuild } {
  const author = people.priya;
  const at = (number: number, branch: string, message: string, ago: number): Frame =>
    frameOf({ pipeline: api, number, branch, message, author, createdAt: now - ago * minute });
  return {
    passed: passed(at(870, 'main', 'Orders: page by cursor', 1700)),
    failed: failed(at(871, 'feature/checkout-redesign', 'Payments: capture once', 900)),
    released: released(at(872, 'main', 'Release with web', 606)),
  };
}

function passed(frame: Frame): SampleBuild {
  const jobs = [...testSteps(frame), waiter(frame, 'wait'), imageStep(frame)];
  return buildOf(frame, { jobs, state: 'passed', seconds: 150 });
}

function released(frame: Frame): SampleBuild {
  return buildOf(frame, { jobs: testSteps(frame), state: 'passed', seconds: 88, source: 'trigger_job' });
}

function failed(frame: Frame): SampleBuild {
  const failing = 'retries a timed-out capture';
  const [first, ...others] = testSteps(frame, failing);
  const bodyHtml = `<p><code>${failing}</code>: connect ECONNREFUSED</p>`;
  const canceled = notStarted(frame, imageDraft(frame), 'canceled');
  return buildOf(frame, {
    jobs: [...(first === undefined ? [] : [first]), ...others, waiter(frame, 'wait'), canceled],
    state: 'failed',
    seconds: 96,
    annotations: [annotation(frame, { context: 'tests', style: 'error', bodyHtml })],
  });
}

/** Two parallel jobs; the second has the payments, where tests fail. */
function testSteps(frame: Frame, failing?: string): ScriptJob[] {
  return [apiSuites.slice(0, 1), apiSuites.slice(1)].map((names, index) => {
    const suites = names.map((name) => runSuite(name, frame.seed, failing === undefined ? [] : [failing]));
    const broken = suites.some((suite) => suite.cases.some((each) => each.outcome === 'failed'));
    const sources = names.flatMap((name) => [`src/${name}/routes.ts`, `src/${name}/store.ts`]);
    const ranAt = frame.createdAt + 60_000;
    return script(frame, {
      name: `:postgres: Tests ${index + 1}/2`,
      key: 'tests',
      variant: String(index),
      command: 'make test',
      start: 6,
      seconds: 70 + index * 9,
      files: [
        { path: 'test-results/junit.xml', content: junitXml('api', suites, ranAt, `api-${index}`) },
        { path: 'coverage/cobertura.xml', content: cobertura(coverFiles(sources, frame.seed, 0.9), ranAt) },
        jsonFile('openapi.json', {
          openapi: '3.1.0',
          info: { title: 'Acme API', version: frame.commit.slice(0, 7) },
          paths: {},
        }),
      ],
      exitStatus: broken ? 1 : 0,
      print: (log) => addTests(addInstall(log, frame.seed), suites),
      more: { parallel: { index, total: 2 } },
    });
  });
}

function imageStep(frame: Frame): ScriptJob {
  return script(frame, imageDraft(frame));
}

function imageDraft(frame: Frame): Parameters<typeof script>[1] {
  const content = { seed: `${frame.seed}/image`, size: imageBytes };
  const digest = digestOf(content, 'sha256');
  return {
    name: ':docker: Image',
    key: 'image',
    command: 'make image',
    start: 92,
    seconds: 52,
    files: [
      { path: 'release/api-linux-x64.img', content },
      textFile('release/api-linux-x64.img.sha256', `${digest}  api-linux-x64.img\n`),
      textFile('release/NOTES.md', `# API ${frame.commit.slice(0, 7)}\n\n${frame.message}\n`),
    ],
    print: (log) => addText(log, ':docker: Writing the image', ['[1/3] base', '[2/3] app', '[3/3] image: 48 MiB']),
  };
}
