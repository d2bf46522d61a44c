/** JUnit XML as test runners write it. */
import { escapeMarkup } from './escape.ts';
import { type TestCase, type TestSuite, totalsOf } from './tests.ts';

/** @param ranAt milliseconds since 1970 */
export function junitXml(name: string, suites: readonly TestSuite[], ranAt: number, host: string): Buffer {
  const body = suites.map((suite) => suiteXml(suite, ranAt, host)).join('\n');
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${escapeMarkup(name)}" ${counts(suites)}>\n${body}\n</testsuites>\n`;
  return Buffer.from(text);
}

function suiteXml(suite: TestSuite, ranAt: number, host: string): string {
  const stamp = new Date(ranAt).toISOString().slice(0, 19);
  const cases = suite.cases.map((each) => caseXml(each, suite)).join('\n');
  return `  <testsuite name="${suite.name}" ${counts([suite])} timestamp="${stamp}" hostname="${host}" file="${suite.file}">\n${cases}\n  </testsuite>`;
}

function counts(suites: readonly TestSuite[]): string {
  const { tests, failures, skipped, seconds } = totalsOf(suites);
  return `tests="${tests}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds}"`;
}

function caseXml(each: TestCase, suite: TestSuite): string {
  const open = `    <testcase name="${escapeMarkup(each.name)}" classname="${suite.name}" file="${suite.file}" time="${each.seconds}"`;
  if (each.outcome === 'skipped') return `${open}>\n      <skipped/>\n    </testcase>`;
  if (each.failure === null) return `${open}/>`;
  const { message, trace } = each.failure;
  const failure = `<failure message="${escapeMarkup(message)}" type="AssertionError">${escapeMarkup(trace)}</failure>`;
  return `${open}>\n      ${failure}\n      <system-out><![CDATA[attempt 1 of 1]]></system-out>\n    </testcase>`;
}
