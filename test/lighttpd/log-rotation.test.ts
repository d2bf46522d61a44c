/** Both logs are kept within bounds by the program that runs Lighttpd, while all of its processes write. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { auditParts } from '../../src/tree/audit.ts';
import { readIfPresent } from '../../src/tree/files.ts';
import { ask } from './ask.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';
import { until } from './until.ts';

const file = `${build}/jobs/${openJob}/artifacts/a.txt`;
/** The logs are looked at every 10 s. */
const patienceMs = 60_000;

async function start(t: TestContext, env: NodeJS.ProcessEnv): Promise<Site> {
  const site = await startSite(env);
  t.after(() => site.close());
  put(site.paths, site.paths.jobFile(place, openJob, 'artifacts/a.txt'), 'ten bytes\n');
  return site;
}

const partOf = ({ paths }: Site, part: string): string => join(paths.logs, `access.log${part}`);

/** Asks on many connections at once, so that each process has some. @returns the ids of all answers */
async function askWhile(site: Site, goesOn: () => boolean | Promise<boolean>): Promise<string[]> {
  const ids: string[] = [];
  const lane = async (): Promise<void> => {
    while (await goesOn()) {
      const { status, headers } = await ask(site.port, file);
      assert.equal(status, 200);
      ids.push(String(headers['x-request-id']));
    }
  };
  await Promise.all(Array.from({ length: 3 }, lane));
  return ids;
}

test('a request has one line in one part of the access log, also while that is rotated', async (t) => {
  // A part is full with some three thousand lines.
  const site = await start(t, { KITEMIRROR_ACCESS_LOG_BYTES: '4MiB', KITEMIRROR_AUDIT_BYTES: 'off' });
  const end = Date.now() + patienceMs;
  // With one more the first part would go.
  const ids = await askWhile(site, () => !existsSync(partOf(site, '.3')) && Date.now() < end);
  await until('the log is open anew', () => existsSync(partOf(site, '')));
  site.child.kill('SIGTERM');
  await once(site.child, 'exit');
  assert.deepEqual(
    readdirSync(site.paths.logs).toSorted(),
    ['', '.1', '.2', '.3'].map((part) => `access.log${part}`),
  );
  const lines = ['.3', '.2', '.1', ''].map((part) => readFileSync(partOf(site, part), 'utf8').split('\n').slice(0, -1));
  const entries = lines.flat().map((line) => JSON.parse(line) as Record<string, unknown>);
  const logged = entries.filter(({ url }) => url === file).map(({ id }) => String(id));
  t.diagnostic(`${ids.length} requests, ${lines.map(({ length }) => length).join(' + ')} lines`);
  assert.ok(ids.length > 5000);
  const [asked, found] = [new Set(ids), new Set(logged)];
  assert.deepEqual(ids.filter((id) => !found.has(id)).slice(0, 9), [], 'of these there is no line');
  assert.deepEqual(logged.filter((id) => !asked.has(id)).slice(0, 9), [], 'of these there was no request');
  assert.deepEqual([asked.size, logged.length], [ids.length, ids.length], 'none is there twice');
});

test('beyond their bounds both logs lose what is oldest, and nothing else', async (t) => {
  const site = await start(t, { KITEMIRROR_ACCESS_LOG_BYTES: '16KiB', KITEMIRROR_AUDIT_BYTES: '2KiB' });
  for (const part of ['.1', '.2', '.3']) writeFileSync(partOf(site, part), `was ${part}\n`);
  mkdirSync(site.paths.audit, { recursive: true });
  for (const month of ['2020-01', '2020-02', '2020-03'])
    writeFileSync(join(site.paths.audit, `${month}.jsonl`), `${JSON.stringify({ reason: 'x'.repeat(880) })}\n`);
  // In the middle of it no file may have that name.
  const isDone = async (): Promise<boolean> => (await readIfPresent(partOf(site, '.2'))) === 'was .1\n';
  const end = Date.now() + patienceMs;
  await askWhile(site, async () => !(await isDone()) && Date.now() < end);
  assert.ok(await isDone());
  assert.equal(readFileSync(partOf(site, '.3'), 'utf8'), 'was .2\n');
  await until(
    'the audit is within its bounds',
    () => readdirSync(site.paths.audit).length === 3 && !existsSync(join(site.paths.audit, '2020-01.jsonl')),
    patienceMs,
  );
  const [first, second, now] = auditParts(site.paths).map(({ name }) => name);
  assert.deepEqual([first, second], ['2020-02.jsonl', '2020-03.jsonl']);
  const { action, what } = JSON.parse(readFileSync(join(site.paths.audit, now ?? ''), 'utf8')) as Record<
    string,
    string
  >;
  assert.deepEqual([action, what], ['trim', '2020-01.jsonl']);
});
