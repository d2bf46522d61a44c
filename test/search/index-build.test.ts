import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { createReportReader } from '../../src/reports/report-reader.ts';
import { openSearch } from '../../src/search/search.ts';
import { dataPaths, type Place } from '../../src/tree/paths.ts';
import { indexBuild } from '../../workers/index-build.ts';
import { sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'kitemirror-index-build-'));
const worker = {
  paths: dataPaths(folder),
  reports: createReportReader(),
  search: openSearch(join(folder, 'search.sqlite')),
};
after(async () => {
  await Promise.all([worker.reports.close(), worker.search.close()]);
  rmSync(folder, { recursive: true });
});

const place: Place = { organization: 'acme', folder: 'web', number: 42 };
const failing = '<testcase classname="Cart" name="weighs a flamingo"><failure/></testcase>';
const report = `<testsuite name="cart">${failing}</testsuite>`;
const large = `<testsuite name="cart">${failing}${' '.repeat(4 * 1024 * 1024)}</testsuite>`;
const long = `<testsuite name="cart">${failing}${'<testcase name="a"/>'.repeat(50_000)}</testsuite>`;
const deep = `${'<testsuite>'.repeat(100)}${failing}${'</testsuite>'.repeat(100)}`;

/** Whether the build of one failed job says that not all of it is searched. */
async function isPartial(...contents: string[]): Promise<boolean | undefined> {
  const artifacts = contents.map((content, index) =>
    sampleArtifact(uuid(1), index, `junit-${index}.xml`, { size: content.length }),
  );
  for (const [index, content] of contents.entries()) {
    const file = worker.paths.jobFile(place, uuid(1), `artifacts/junit-${index}.xml`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const jobs = [sampleJob(1, { state: 'failed', exit_status: 1, artifacts })];
  await indexBuild(worker, place, sampleBuild(jobs), jobs);
  const { results } = await worker.search.find({ organization: 'acme', text: 'junit', before: null, limit: 5 });
  return results[0]?.isPartial;
}

describe('a build whose failing tests are not all read says that not all of it is searched', () => {
  const cases: [why: string, contents: string[]][] = [
    ['a report is too large', [report, large]],
    ['there are too many reports', Array.from({ length: 41 }, () => report)],
    ['a report holds too many tests', [long]],
    ['a report cannot be read within bounds', [report, deep]],
  ];
  for (const [why, contents] of cases) it(why, async () => assert.equal(await isPartial(...contents), true));

  it('and one says nothing of it whose reports are read, beside what is none', async () => {
    assert.equal(await isPartial(report, '<checkstyle/>', 'no XML'), false);
    assert.equal(await isPartial(...Array.from({ length: 40 }, () => report)), false);
  });
});
