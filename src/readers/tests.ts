/** The test reports below an address, of all attempts of the jobs that it spans, read within bounds. */
import { groupAttempts } from '../pages/attempts.ts';
import { counted, formatBytes, formatCount } from '../pages/format.ts';
import type { TestedJob, TestsContent } from '../pages/view-tests.ts';
import { joinAttempts, type ReportOf } from '../reports/attempts.ts';
import { maxXmlBytes } from '../reports/xml.ts';
import { stepFolder } from '../tree/paths.ts';
import { readPart } from '../tree/read-part.ts';
import { readJobRecord } from '../tree/records.ts';
import type { ReaderParts } from './parts.ts';
import { artifactsOf, ownPath, type Shown } from './shown.ts';

const mostReports = 400;
/** Of all reports together: they are sorted and counted while others wait. */
const mostTests = 100_000;

/** @param toBuild from the page to its build, e.g. `../` @param isWanted by the path below a job's folder of artifacts */
export async function testsOf(
  { paths, reports: reader }: Pick<ReaderParts, 'paths' | 'reports'>,
  { place, build, tail }: Shown,
  toBuild: string,
  jobs: ReadonlySet<string> | null,
  isWanted: (path: string) => boolean,
): Promise<TestsContent> {
  const reports: ReportOf[] = [];
  const tested = new Map<string, TestedJob>();
  let left = maxXmlBytes;
  let room = mostTests;
  let [passedOver, leftOut] = [0, 0];
  for (const { last, earlier } of groupAttempts(build.jobs)) {
    const attempts = [...earlier, last];
    if (jobs !== null && !attempts.some(({ id }) => jobs.has(id))) continue;
    if (tail[0] === 'steps' && (last.step_key === null || stepFolder(last.step_key) !== tail[1])) continue;
    for (const [index, { id, url }] of attempts.entries()) {
      const record = url === null ? null : await readJobRecord(paths, place, id);
      for (const file of record === null ? [] : artifactsOf(record)) {
        const own = ownPath(file.path);
        if (own === null || !isWanted(own)) continue;
        if (file.size > left || reports.length >= mostReports || room === 0) {
          passedOver += 1;
          continue;
        }
        const part = await readPart(paths.shown(place, file.path), 0, left);
        left -= part?.bytes.length ?? 0;
        const read = part === null ? null : await reader.junit(part.bytes);
        if (read === null) continue;
        const report = { ...read, cases: read.cases.slice(0, room) };
        room -= report.cases.length;
        leftOut += read.cases.length - report.cases.length;
        reports.push({ job: last.id, attempt: index + 1, path: own, report });
        tested.set(last.id, { name: last.name ?? last.step_key ?? last.id, href: `${toBuild}jobs/${last.id}/` });
      }
    }
  }
  const notices: string[] = [];
  if (passedOver > 0) {
    notices.push(
      `${passedOver} more ${passedOver === 1 ? 'report is' : 'reports are'} not read: a page reads up to ${mostReports}, ${formatBytes(maxXmlBytes)} and ${formatCount(mostTests)} tests of them. Open a job’s own folder for fewer.`,
    );
  }
  if (leftOut > 0)
    notices.push(
      `${counted(leftOut, 'more test')} of the last report that is read ${leftOut === 1 ? 'is' : 'are'} not counted here.`,
    );
  if (reports.some(({ report }) => report.truncated)) notices.push('A report holds more tests than are read from one.');
  return { rows: joinAttempts(reports), jobs: tested.size > 1 ? tested : new Map(), notices };
}
