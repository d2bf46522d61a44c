/** An HTML report of many files, as test runners make it: an index, a page a suite, style, script, pictures and data. */
import { escapeMarkup } from './escape.ts';
import { reportScript, reportStyle } from './report-assets.ts';
import { chart, type Design, differenceImage, screenshot } from './screens.ts';
import { type TestCase, type TestSuite, totalsOf } from './tests.ts';

export interface ReportFile {
  readonly path: string;
  readonly content: Buffer;
}

export interface ReportFacts {
  readonly title: string;
  readonly branch: string;
  readonly commit: string;
  /** Milliseconds since 1970. */
  readonly ranAt: number;
  readonly design: Design;
}

/** @returns files below the report's folder, `index.html` first */
export function htmlReport(suites: readonly TestSuite[], facts: ReportFacts): ReportFile[] {
  const text = (path: string, content: string): ReportFile => ({ path, content: Buffer.from(content) });
  return [
    text('index.html', indexPage(suites, facts)),
    text('assets/report.css', reportStyle),
    text('assets/report.js', reportScript),
    text('assets/logo.svg', logo),
    { path: 'img/trend.png', content: chart(facts.commit, facts.design) },
    { path: 'img/checkout.png', content: screenshot('checkout', facts.design) },
    { path: 'img/difference.png', content: differenceImage('cart') },
    text('data/results.json', `${JSON.stringify({ ...facts, totals: totalsOf(suites), suites }, null, 2)}\n`),
    ...suites.map((suite) => text(`suites/${suite.name}.html`, suitePage(suite, facts))),
  ];
}

function indexPage(suites: readonly TestSuite[], facts: ReportFacts): string {
  const { tests, failures, skipped, seconds } = totalsOf(suites);
  const tiles = [
    tile('Tests', String(tests)),
    tile('Passed', String(tests - failures - skipped), 'good'),
    tile('Failed', String(failures), failures > 0 ? 'bad' : ''),
    tile('Duration', `${seconds.toFixed(1)} s`),
  ];
  const rows = suites.map((suite) => {
    const totals = totalsOf([suite]);
    const state = totals.failures > 0 ? 'bad' : 'good';
    const passed = totals.tests - totals.failures - totals.skipped;
    return `<tr><td><span class="dot ${state}"></span><a href="suites/${suite.name}.html">${suite.name}</a></td>
      <td>${passed} of ${totals.tests}</td><td><meter max="${totals.tests}" value="${passed}"></meter></td>
      <td class="number">${totals.seconds.toFixed(2)} s</td></tr>`;
  });
  return page(facts, '', [
    `<section class="tiles">${tiles.join('')}</section>`,
    `<section class="card"><h2>Pass rate, last 25 runs</h2><img src="img/trend.png" alt="Pass rate over time" width="720" height="280"></section>`,
    `<section class="card"><h2>Suites</h2><input id="filter" type="search" placeholder="Filter suites…">
      <table><thead><tr><th>Suite</th><th>Passed</th><th></th><th class="number">Time</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></section>`,
    `<section class="card pair"><figure><img src="img/checkout.png" alt="Checkout"><figcaption>checkout, as rendered</figcaption></figure>
      <figure><img src="img/difference.png" alt="Difference"><figcaption>cart, against the baseline</figcaption></figure></section>`,
    `<section class="card" id="slowest"><h2>Slowest tests</h2><ul class="cases"><li class="quiet">Open this report where its scripts run to see them.</li></ul></section>`,
    `<p class="quiet"><a href="data/results.json">results.json</a></p>`,
  ]);
}

function tile(label: string, value: string, mood = ''): string {
  return `<div class="tile ${mood}"><b>${value}</b><span>${label}</span></div>`;
}

function suitePage(suite: TestSuite, facts: ReportFacts): string {
  return page(facts, '../', [
    `<p><a href="../index.html">← All suites</a></p>`,
    `<section class="card"><h2>${suite.name}</h2><p class="quiet">${suite.file}</p><ul class="cases">${suite.cases.map(caseItem).join('\n')}</ul></section>`,
  ]);
}

function caseItem(each: TestCase): string {
  const mood = { passed: 'good', failed: 'bad', skipped: 'idle' }[each.outcome];
  const head = `<span class="dot ${mood}"></span>${escapeMarkup(each.name)}<span class="number">${Math.round(each.seconds * 1000)} ms</span>`;
  if (each.failure === null) return `<li>${head}</li>`;
  return `<li>${head}<details open><summary>${escapeMarkup(each.failure.message)}</summary><pre>${escapeMarkup(each.failure.trace)}</pre></details></li>`;
}

/** @param root how to get from the page to the report's folder */
function page(facts: ReportFacts, root: string, sections: readonly string[]): string {
  const when = new Date(facts.ranAt).toISOString().slice(0, 16).replace('T', ' ');
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${escapeMarkup(facts.title)}</title>
  <link rel="icon" href="${root}assets/logo.svg">
  <link rel="stylesheet" href="${root}assets/report.css">
  <script type="module" src="${root}assets/report.js"></script>
</head>
<body class="${facts.design}">
  <header><img src="${root}assets/logo.svg" alt="" width="28" height="28"><h1>${escapeMarkup(facts.title)}</h1>
    <p>${escapeMarkup(facts.branch)} · ${facts.commit.slice(0, 7)} · ${when} UTC</p></header>
  <main>
    ${sections.join('\n    ')}
  </main>
</body>
</html>
`;
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><defs><linearGradient id="g" x1="0" x2="1">
<stop stop-color="#8b5cf6"/><stop offset="1" stop-color="#ec4899"/></linearGradient></defs>
<rect width="32" height="32" rx="9" fill="url(#g)"/><path d="M9 17l5 5 9-11" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round" stroke-linejoin="round"/></svg>
`;
