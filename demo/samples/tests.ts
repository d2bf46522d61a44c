/** The tests that the sample builds ran: one result, told alike by JUnit XML, the HTML report and the log. */
import { randomFrom } from './random.ts';

export interface TestCase {
  readonly name: string;
  readonly seconds: number;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly failure: Failure | null;
}

export interface Failure {
  readonly message: string;
  readonly trace: string;
}

export interface TestSuite {
  readonly name: string;
  readonly file: string;
  readonly cases: readonly TestCase[];
}

const names: Readonly<Record<string, readonly string[]>> = {
  catalog: [
    'shows twelve goods a page',
    'sorts by price, lowest first',
    'filters by colour & size',
    'keeps the filter in the address',
    'shows "sold out" when stock is 0',
    'loads pictures lazily',
  ],
  cart: [
    'adds an item',
    'adds the same item twice as one line',
    'removes an item and offers to undo it',
    'survives a reload',
    'recalculates shipping when the country changes',
    'applies a voucher once',
    'refuses an expired voucher',
  ],
  checkout: [
    'asks for an address first',
    'validates the card number as one types',
    'shows the total with VAT',
    'pays with a saved card',
    'recovers from a declined card',
    'sends one order when the button is pressed twice',
    'shows the confirmation with the order number',
  ],
  account: [
    'signs in',
    'signs out everywhere',
    'changes the e-mail after confirming it',
    'lists past orders <= 2 years',
  ],
  search: [
    'finds goods by a part of their name',
    'forgives one typo',
    'suggests while typing',
    'says so when nothing fits',
  ],
  orders: [
    'creates an order',
    'is idempotent by key',
    'cancels before shipping',
    'refuses to cancel after shipping',
    'pages by cursor',
  ],
  payments: ['captures once', 'refunds in part', 'retries a timed-out capture', 'rejects a wrong signature'],
  stock: ['reserves', 'releases after 15 minutes', 'never goes below zero', 'merges two warehouses'],
};

export const webSuites = ['catalog', 'cart', 'checkout', 'account', 'search'] as const;
export const apiSuites = ['orders', 'payments', 'stock'] as const;

const traces: Readonly<Record<string, Failure>> = {
  'sends one order when the button is pressed twice': {
    message: 'expected 1 order, received 2',
    trace:
      'AssertionError: expected 1 order, received 2\n    at placeOrder (src/checkout/submit.test.ts:118:18)\n' +
      '    at async Promise.all (index 1)\n    at async runTest (node:internal/test_runner/test:1021:7)',
  },
  'recalculates shipping when the country changes': {
    message: 'expected "€ 12.90" to equal "€ 4.90"',
    trace:
      'AssertionError: expected "€ 12.90" to equal "€ 4.90"\n  - € 4.90\n  + € 12.90\n' +
      '    at src/cart/shipping.test.ts:64:31',
  },
  'retries a timed-out capture': {
    message: 'connect ECONNREFUSED 127.0.0.1:5432',
    trace: 'Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap.afterConnect (node:net:1637:16)',
  },
};

/** @param seed of the durations @param failing names of tests that failed */
export function runSuite(suite: string, seed: string, failing: readonly string[] = []): TestSuite {
  const random = randomFrom(`${seed}/${suite}`);
  const cases = (names[suite] ?? []).map((name): TestCase => {
    const seconds = Math.round(random.next() ** 2 * 2400 + 12) / 1000;
    if (failing.includes(name)) return { name, seconds, outcome: 'failed', failure: traces[name] ?? null };
    return { name, seconds, outcome: random.next() < 0.03 ? 'skipped' : 'passed', failure: null };
  });
  return { name: suite, file: `src/${suite}/${suite}.test.ts`, cases };
}

export interface Totals {
  readonly tests: number;
  readonly failures: number;
  readonly skipped: number;
  readonly seconds: number;
}

export function totalsOf(suites: readonly TestSuite[]): Totals {
  const cases = suites.flatMap((suite) => suite.cases);
  return {
    tests: cases.length,
    failures: cases.filter((each) => each.outcome === 'failed').length,
    skipped: cases.filter((each) => each.outcome === 'skipped').length,
    seconds: Math.round(cases.reduce((sum, each) => sum + each.seconds, 0) * 1000) / 1000,
  };
}
