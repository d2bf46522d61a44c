/**
 * JUnit XML as the test runners of the world write it: `testsuites`, nested `testsuite`, or a bare suite. There is no
 * one schema; what is missing is null and what is unknown is passed over.
 */
import { parseXml, type XmlElement } from './xml.ts';

export type TestOutcome = 'passed' | 'failed' | 'errored' | 'skipped';

export interface TestCase {
  /** The suites it stands in, outermost first, joined by ` › `. */
  readonly suite: string;
  readonly className: string | null;
  readonly name: string;
  readonly file: string | null;
  readonly seconds: number | null;
  readonly outcome: TestOutcome;
  /** What the runner says of a failure or a skip, in one line or some. */
  readonly message: string | null;
  /** The trace of a failure. */
  readonly detail: string | null;
  /** What the test wrote. */
  readonly output: string | null;
}

export interface TestReport {
  readonly cases: readonly TestCase[];
  /** Whether the report holds more cases than are read. */
  readonly truncated: boolean;
}

const maxCases = 50_000;
const maxText = 16 * 1024;

/** @returns null for what is no JUnit report */
export function parseJunit(text: string): TestReport | null {
  const root = parseXml(text);
  if (root === null || (root.name !== 'testsuites' && root.name !== 'testsuite')) return null;
  const cases: TestCase[] = [];
  const truncated = !collect(root, [], cases);
  return { cases, truncated };
}

/** The same test in two reports: a name alone is not enough, and a file may move. */
export function testKey({ suite, className, name }: Pick<TestCase, 'suite' | 'className' | 'name'>): string {
  return [className ?? suite, name].join('\u0000');
}

export function isFailure(outcome: TestOutcome): boolean {
  return outcome === 'failed' || outcome === 'errored';
}

/** @returns false once there are too many */
function collect(element: XmlElement, above: readonly string[], into: TestCase[]): boolean {
  const name = element.name === 'testsuite' ? element.attributes.get('name') : undefined;
  const path = name === undefined || name === '' ? above : [...above, name];
  for (const child of element.children) {
    if (child.name === 'testcase') {
      if (into.length >= maxCases) return false;
      into.push(caseOf(child, path, element.attributes.get('file')));
    } else if (child.name === 'testsuite' && !collect(child, path, into)) return false;
  }
  return true;
}

function caseOf(element: XmlElement, path: readonly string[], suiteFile: string | undefined): TestCase {
  const child = (name: string): XmlElement | undefined => element.children.find((each) => each.name === name);
  const [failure, error, skipped] = [child('failure'), child('error'), child('skipped')];
  const reason = failure ?? error ?? skipped;
  const trace = (failure ?? error)?.text.trim();
  const output = ['system-out', 'system-err']
    .flatMap((name) => child(name)?.text.trim() ?? [])
    .join('\n')
    .trim();
  const seconds = Number.parseFloat(element.attributes.get('time')?.replaceAll(',', '') ?? '');
  return {
    suite: path.join(' › '),
    className: element.attributes.get('classname') ?? null,
    name: element.attributes.get('name') ?? 'unnamed test',
    file: element.attributes.get('file') ?? suiteFile ?? null,
    seconds: Number.isFinite(seconds) && seconds >= 0 ? seconds : null,
    outcome:
      failure !== undefined ? 'failed' : error !== undefined ? 'errored' : skipped !== undefined ? 'skipped' : 'passed',
    message: bounded(reason?.attributes.get('message') ?? ''),
    detail: bounded(trace ?? ''),
    output: bounded(output),
  };
}

function bounded(text: string): string | null {
  if (text === '') return null;
  return text.length <= maxText ? text : `${text.slice(0, maxText)}\n… ${text.length - maxText} more characters`;
}

const junitName =
  /(^|[-_./])(junit|xunit|test[-_.]?(results?|reports?)|surefire|results?)([-_./]|$)|(^|\/)TEST-[^/]*$/i;

/** Whether an artifact's path is worth reading as JUnit; its content decides. */
export function mayBeJunit(path: string): boolean {
  return path.toLowerCase().endsWith('.xml') && junitName.test(path.slice(0, -4));
}
