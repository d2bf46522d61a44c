/** `?view`, `?gallery`, `?tests`: what a page shows of each kind of artifact, within bounds, and that nothing of it runs. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import request from 'supertest';
import { chromiumNeed, findCommand } from '../../src/programs.ts';
import type { Place } from '../../src/tree/paths.ts';
import { hostile, sampleArtifact, sampleBuild, sampleJob, uuid } from '../pages/samples.ts';
import { openMirror, type TestMirror } from './mirror.ts';

const evil =
  '<img src=x onerror="document.documentElement.dataset.ran=1"><script>document.documentElement.dataset.ran=2</script>';
const junit = (cases: string): string =>
  `<?xml version="1.0"?><testsuites><testsuite name="suite">${cases}</testsuite></testsuites>`;
const first = junit(
  '<testcase name="flaky" time="0.5"><failure message="once">trace of once</failure></testcase><testcase name="fine"/>',
);
const last = junit(
  `<testcase name="flaky" time="0.4"/><testcase name="fine"/><testcase name="broken" classname="a.B"><failure message="no">trace &lt;here&gt;<![CDATA[${evil}]]></failure><system-out>said this</system-out></testcase>`,
);
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAYAAAC56t6BAAAADklEQVR4nGP4z8AARGAAAA/5Av48D0EnAAAAAElFTkSuQmCC',
  'base64',
);
const files: Record<string, string | Buffer> = {
  'shot one.png': png,
  'deep/two.png': png,
  'film.webm': 'film',
  'junit.xml': last,
  'notes.md': `# Title\n\n[raw](other.txt) [next](more.md#a) [out](https://example.com/x) [bad](javascript:alert(1)) [host](//evil.test/) ![pic](deep/two.png) ![far](https://evil.test/p.png)\n\n${evil}\n\n\`\`\`\n<b>\n\`\`\`\n&#x202e;turned`,
  'data.json': '{"id":12345678901234567890,"__proto__":{"a":[]},"text":"<b>","list":[1,2.50,null,true]}',
  'broken.json': '{"a":',
  'lcov.info': 'TN:\nSF:src/a.js\nDA:1,1\nDA:2,0\nend_of_record\n',
  'cobertura.xml':
    '<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "http://x/c.dtd"><coverage><packages><package><classes><class filename="b.py"><lines><line number="1" hits="2"/></lines></class></classes></package></packages></coverage>',
  'bomb.xml':
    '<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuites><testsuite><testcase name="&b;"/></testsuite></testsuites>',
  'long.log': Array.from({ length: 40_000 }, (_, index) => `line ${index + 1} of the log`).join('\n'),
  'one-line.txt': `x${'漢字'.repeat(200_000)}\nthe last`,
  'report.html': `<h1>report</h1>${evil}`,
  'data.bin': Buffer.from([0, 1, 2, 255]),
  odd: 'plain words',
  'none.txt': '',
};
const base = '/acme/web/builds/42';
const [job, retried] = [uuid(1), uuid(2)];
let mirror: TestMirror;
let place: Place;

before(async () => {
  mirror = openMirror();
  const artifacts = Object.entries(files).map(([name, content], index) =>
    sampleArtifact(job, index, name, { size: Buffer.byteLength(content) }),
  );
  const jobs = [
    sampleJob(2, {
      retried: true,
      retried_in_job_id: job,
      step_key: 'test',
      artifacts: [sampleArtifact(retried, 90, 'junit.xml', { size: first.length, merged: false })],
    }),
    sampleJob(1, { name: 'Test', step_key: 'test', artifacts }),
  ];
  place = await mirror.add(sampleBuild(jobs), jobs);
  put(retried, 'junit.xml', first);
  for (const [name, content] of Object.entries(files)) put(job, name, content);
});
after(() => mirror.close());

/** Under the job's address and in the merged view. */
function put(of: string, name: string, content: string | Buffer): void {
  const views = of === job ? [`artifacts/${name}`, `steps/test/artifacts/${name}`] : [];
  for (const path of [`jobs/${of}/artifacts/${name}`, ...views]) {
    const file = mirror.paths.shown(place, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

async function page(path: string): Promise<string> {
  const answer = await request(mirror.app)
    .get(base + path)
    .expect(200)
    .expect('Content-Type', /^text\/html/);
  assert.match(answer.get('Content-Security-Policy') ?? '', /^default-src 'none'/);
  assert.doesNotMatch(answer.text, /<img src=x|<script>/, `${path} lets markup through`);
  return answer.text;
}

describe('the page of an artifact', () => {
  it('shows pictures and films, with their raw address', async () => {
    const shown = await page('/artifacts/shot%20one.png?view');
    assert.match(shown, /<img src="shot%20one\.png"/);
    assert.match(shown, /curl -fLO &#39;https?:\/\/[^/]+\/acme\/web\/builds\/42\/artifacts\/shot%20one\.png&#39;/);
    assert.match(await page('/artifacts/film.webm?view'), /<video src="film\.webm" controls/);
  });

  it('shows Markdown without what is not Markdown', async () => {
    const shown = await page('/artifacts/notes.md?view');
    assert.match(shown, /<h2>Title<\/h2>/);
    assert.match(shown, /<a href="other\.txt">raw<\/a> <a href="more\.md\?view#a">next<\/a>/);
    assert.match(shown, /<a href="https:\/\/example\.com\/x" rel="noreferrer noopener">/);
    assert.match(shown, /<img src="deep\/two\.png" alt="pic"/);
    assert.match(shown, /&lt;script&gt;/);
    assert.doesNotMatch(shown, /href="(javascript|\/\/evil)|src="https|\u202e/);
  });

  it('shows JSON as a tree with its numbers as they are written', async () => {
    const shown = await page('/artifacts/data.json?view');
    assert.match(shown, /12345678901234567890/);
    assert.match(shown, /2\.50/);
    assert.match(shown, /__proto__/);
    assert.match(shown, /<details open>/);
    assert.match(await page('/artifacts/broken.json?view'), /Shown as text: this is no JSON/);
  });

  it('sums up lcov and Cobertura', async () => {
    assert.match(await page('/artifacts/lcov.info?view'), /50\.0 %[\s\S]*src\/a\.js/);
    assert.match(await page('/artifacts/cobertura.xml?view'), /100\.0 %[\s\S]*b\.py/);
  });

  it('shows text by parts, each with its line numbers', async () => {
    const shown = await page('/artifacts/long.log?view');
    assert.match(shown, /id="L1"><a href="#L1">1<\/a><span>line 1 of the log/);
    const next = /href="(long\.log\?view&amp;at=\d+&amp;line=(\d+))"/.exec(shown);
    assert.ok(next?.[1] !== undefined);
    assert.match(
      await page(`/artifacts/${next[1].replaceAll('&amp;', '&')}`),
      new RegExp(`id="L${next[2]}">[^>]*>${next[2]}</a><span>line ${next[2]} of`),
    );
    assert.match(await page('/artifacts/odd?view'), /plain words/);
    assert.match(await page('/artifacts/none.txt?view'), /This file is empty/);
    await request(mirror.app).get(`${base}/artifacts/long.log?view&at=x`).expect(400);
  });

  it('shows a line that is longer than a part to its end, under one number', async () => {
    const numbers: string[] = [];
    let href: string | undefined = 'one-line.txt?view';
    while (href !== undefined) {
      const shown: string = await page(`/artifacts/${href.replaceAll('&amp;', '&')}`);
      assert.doesNotMatch(shown, /\ufffd|not text/, href);
      numbers.push(Array.from(shown.matchAll(/id="L(\d+)"/g), ([, number]) => number).join(' '));
      assert.equal(shown.includes('rel="first"'), numbers.length > 1);
      href = /href="(one-line\.txt\?view&amp;at=[^"]+)" rel="next"/.exec(shown)?.[1];
    }
    assert.deepEqual(numbers, ['1', '1', '1 2']);
  });

  it('shows the source of HTML, with the way to where it runs', async () => {
    const shown = await page('/artifacts/report.html?view');
    assert.match(shown, /href="report\.html\?open">Open report/);
    assert.match(shown, /&lt;h1&gt;report/);
  });

  it('says of the rest what it is', async () => {
    assert.match(await page('/artifacts/data.bin?view'), /not shown here/);
    const answer = await request(mirror.app).get(`${base}/artifacts/nothing.txt?view`).expect(404);
    assert.match(answer.text, /no such artifact/);
  });

  it('reads no entity that a file brings along', async () => {
    const shown = await page('/artifacts/bomb.xml?view');
    assert.match(shown, /name=&quot;&amp;b;&quot;/);
    assert.doesNotMatch(shown, /<bdi>a+<\/bdi>/);
  });

  it('is kept for the front where it depends on that file alone', async () => {
    await page('/artifacts/odd?view');
    const kept = mirror.paths.page('acme', 'web', 'builds', '42', 'artifacts', 'odd', '?view');
    assert.ok(existsSync(kept));
    assert.ok(!existsSync(kept.replace('/odd/', '/junit.xml/')));
  });
});

describe('tests', () => {
  it('are a table over all attempts of the job, failures first', async () => {
    for (const path of [
      '/artifacts/junit.xml?view',
      `/jobs/${job}/artifacts/junit.xml?view`,
      '/artifacts/?tests',
      '/steps/test/artifacts/?tests',
    ]) {
      const shown = await page(path);
      const [broken, flaky, fine] = ['broken', 'flaky', 'fine'].map((name) => shown.indexOf(`<bdi>${name}</bdi>`));
      assert.ok(broken !== undefined && flaky !== undefined && fine !== undefined);
      assert.ok(0 < broken && broken < flaky && flaky < fine, path);
      assert.match(shown, /trace &lt;here&gt;/);
      assert.match(shown, /said this/);
      assert.match(shown, /1: failed<\/span><span class="pill good">2: passed/);
    }
  });
});

it('tests of several jobs lead to their jobs, named as Buildkite shows them', async () => {
  const [one, two] = [uuid(21), uuid(22)];
  const jobs = [one, two].map((id, index) =>
    sampleJob(21 + index, {
      id,
      name: `:rocket: Test ${index + 1}`,
      step_key: null,
      artifacts: [sampleArtifact(id, 30 + index, `junit-${index}.xml`, { size: first.length })],
    }),
  );
  const at = await mirror.add(sampleBuild(jobs, { number: 43, id: uuid(43) }), jobs);
  for (const [index, id] of [one, two].entries()) {
    const file = mirror.paths.shown(at, `jobs/${id}/artifacts/junit-${index}.xml`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, first);
  }
  const shown = (await request(mirror.app).get('/acme/web/builds/43/artifacts/?tests').expect(200)).text;
  assert.match(
    shown,
    new RegExp(`<a href="\\.\\./jobs/${one}/"><bdi><span class="emoji" title=":rocket:">🚀</span> Test 1`),
  );
  assert.match(shown, new RegExp(`<a href="\\.\\./jobs/${two}/">`));
});

it('tests are read up to a number of them, and the page says what it leaves out', { timeout: 120_000 }, async () => {
  const reports = Array.from({ length: 6 }, (_, file) =>
    junit(Array.from({ length: 30_000 }, (_, index) => `<testcase name="t${index}" classname="c${file}"/>`).join('')),
  );
  const artifacts = reports.map(({ length }, index) =>
    sampleArtifact(uuid(44), 40 + index, `junit-${index}.xml`, { size: length }),
  );
  const jobs = [sampleJob(44, { artifacts })];
  const at = await mirror.add(sampleBuild(jobs, { number: 44, id: uuid(144) }), jobs);
  for (const [index, report] of reports.entries()) {
    const file = mirror.paths.shown(at, `jobs/${uuid(44)}/artifacts/junit-${index}.xml`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, report);
  }
  const { text } = await request(mirror.app).get('/acme/web/builds/44/artifacts/?tests').expect(200);
  assert.match(text, /<dt>Tests<\/dt><dd>100.000</);
  assert.match(text, /2 more reports are not read: a page reads up to 400, 32.MiB and 100.000 tests of them/);
  assert.match(text, /20.000 more tests of the last report that is read are not counted/);
});

describe('a gallery', () => {
  it('has the pictures of a folder and below it', async () => {
    const shown = await page('/artifacts/?gallery');
    assert.match(shown, /2 pictures/);
    assert.match(shown, /<a href="deep\/two\.png\?view"><img src="deep\/two\.png"/);
    assert.match(await page('/artifacts/deep/?gallery'), /1 picture/);
  });
});

const executablePath = findCommand(chromiumNeed.commands, process.env['PATH'] ?? '');

it('nothing that a build wrote runs on any of these pages', {
  skip: executablePath === null ? 'no Chromium on this machine' : false,
  timeout: 120_000,
}, async () => {
  if (executablePath === null) return;
  const names = ['x.md', 'x.json', 'x.txt', 'x.xml', 'x.info', 'x.html'];
  const texts = [hostile, evil].join('\n');
  const escaped = JSON.stringify({ [texts]: texts });
  const content: Record<string, string> = {
    'x.md': texts,
    'x.json': escaped,
    'x.xml': junit(
      `<testcase name="${texts.replaceAll(/[&<>"\p{Cc}\p{Cs}]/gu, (c) => `&#${c.charCodeAt(0)};`)}"><failure><![CDATA[${texts.replaceAll(/[\p{Cc}\p{Cs}]/gu, '')}]]></failure></testcase>`,
    ),
    'x.info': `SF:${texts.replaceAll('\n', ' ')}\nDA:1,1\nend_of_record\n`,
  };
  const jobs = [
    sampleJob(3, { artifacts: names.map((name, index) => sampleArtifact(uuid(3), index, name, { size: 1000 })) }),
  ];
  const at = await mirror.add(sampleBuild(jobs, { number: 43 }), jobs);
  for (const name of names) {
    const file = mirror.paths.shown(at, `artifacts/${name}`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content[name] ?? texts);
  }
  const server: Server = createServer(mirror.app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const tab = await browser.newPage();
    const seen: string[] = [];
    tab.on('dialog', (dialog) => {
      seen.push(dialog.message());
      void dialog.dismiss();
    });
    for (const question of [...names.map((name) => `${name}?view`), '?tests', '?gallery', '?list']) {
      const answer = await tab.goto(
        `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/web/builds/43/artifacts/${question}`,
      );
      assert.equal(answer?.status(), 200, question);
      for (const summary of await tab.locator('summary').all()) await summary.dispatchEvent('click');
      assert.equal(await tab.evaluate('document.documentElement.dataset.ran ?? null'), null, question);
      assert.equal(await tab.locator('main [onerror], main [onload], main script, main iframe').count(), 0, question);
    }
    assert.deepEqual(seen, []);
  } finally {
    await browser.close();
    server.close();
  }
});
