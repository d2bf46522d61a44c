/** The gate's Lua and the gateway's TypeScript decide thousands of generated cases alike, within the real Lighttpd. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { authenticate, type Caller, cookiesCalled, holderOf, type Refusal } from '../../src/identity/authenticate.ts';
import { canRead, isPublicPath, knowsPipeline } from '../../src/identity/decide.ts';
import { formatGrants, type GrantTable } from '../../src/identity/grants.ts';
import { openSeal } from '../../src/identity/seals.ts';
import { findCommand, lighttpdNeed } from '../../src/programs.ts';
import type { Label } from '../../src/tree/labels.ts';
import { ask } from '../lighttpd/ask.ts';
import { freePort, root } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import { type Case, generateCases, generateTables } from './generate.ts';
import { type BoundCase, generateBoundCases } from './generate-bound.ts';

const tables = generateTables(60);
const cases = generateCases(tables, 6000);
const boundCases = generateBoundCases(tables, 6000);
let folder: string;
let answers: string[];
let boundAnswers: string[];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-agreement-'));
  for (const [index, table] of tables.entries()) writeFileSync(join(folder, `grants-${index}`), formatGrants(table));
  writeFileSync(join(folder, 'cases'), cases.map((each) => `${fields(each).join('\t')}\n`).join(''));
  writeFileSync(join(folder, 'bound'), boundCases.map((each) => `${boundFields(each).join('\t')}\n`).join(''));
  [answers = [], boundAnswers = []] = await decideInLighttpd(folder, ['cases', 'bound']);
});
after(() => rmSync(folder, { recursive: true }));

test('the gate and the gateway agree on who asks, what they read, what they know of and what is public', () => {
  assert.equal(answers.length, cases.length);
  const differing = cases.flatMap((each, index) => {
    const ours = decideHere(each);
    return ours === answers[index] ? [] : [{ case: fields(each), gateway: ours, gate: answers[index] }];
  });
  assert.deepEqual(differing, []);
});

test('named tokens are among the cases that are revoked: by their id, and by when they were made', () => {
  const revoked = cases.filter(
    ({ authorization }, index) =>
      authorization?.startsWith('Bearer kmt_') === true && answers[index]?.startsWith('revoked '),
  );
  const isById = ({ table, authorization = '' }: Case): boolean =>
    tables[table]?.revoked.has(authorization.slice('Bearer kmt_'.length).split('_')[0] ?? '') === true;
  for (const way of [revoked.filter(isById), revoked.filter((each) => !isById(each))])
    assert.ok(way.length >= 10, String(way.length));
});

test('the cases are of all kinds: allowed and refused, each kind of caller, each reason', () => {
  const first = new Map<string, number>();
  for (const [kind = ''] of answers.map((answer) => answer.split(' '))) first.set(kind, (first.get(kind) ?? 0) + 1);
  for (const kind of ['user', 'ci', 'token', 'anonymous', 'invalid', 'malformed', 'revoked', 'unknown', 'stale'])
    assert.ok((first.get(kind) ?? 0) >= 20, `${kind}: ${first.get(kind)}`);
  for (const at of [2, 3, 4])
    for (const outcome of ['true', 'false'])
      assert.ok(answers.filter((answer) => answer.split(' ')[at] === outcome).length >= 50, `${at} ${outcome}`);
});

test('they agree on links and on the cookies of report hosts, shown for what they are bound to and for others', () => {
  assert.equal(boundAnswers.length, boundCases.length);
  const differing = boundCases.flatMap((each, index) => {
    const ours = openHere(each);
    return ours === boundAnswers[index] ? [] : [{ case: boundFields(each), gateway: ours, gate: boundAnswers[index] }];
  });
  assert.deepEqual(differing, []);
  for (const shown of ['link', 'content'])
    for (const outcome of ['user', 'ci', 'token', 'invalid', 'revoked', 'unknown', 'stale']) {
      const found = boundAnswers.filter(
        (answer, at) => boundCases[at]?.kind === shown && answer.startsWith(`${outcome} `),
      );
      assert.ok(found.length >= 20, `${shown} ${outcome}: ${found.length}`);
    }
});

function boundFields({ table, now, kind, token, bound }: BoundCase): (string | number)[] {
  return [table, now, kind, token, bound];
}

function openHere({ table: number, now, kind, token, bound }: BoundCase): string {
  const table = tables[number] as GrantTable;
  const [shown = ''] = kind === 'link' ? [token] : cookiesCalled('kitemirror', `kitemirror=${token}`);
  const opened = openSeal(table.keys, kind, shown, now, bound);
  if (opened === null) return 'invalid - -';
  const caller = holderOf(table, opened, '', now);
  return typeof caller === 'string' ? `${caller} - -` : `${caller.kind} ${caller.subject} ${caller.session}`;
}

function fields({ table, now, address, authorization, cookie, label, path }: Case): (string | number)[] {
  const { organization, pipeline, pipelineId, branch } = label;
  return [
    table,
    now,
    address,
    authorization ?? '',
    cookie ?? '',
    organization,
    pipeline,
    pipelineId,
    branch === null ? '-' : `=${branch}`,
    path,
  ];
}

function decideHere({ table: number, now, address, authorization, cookie, label, path }: Case): string {
  const table = tables[number] as GrantTable;
  const known: Label | null = label.pipelineId === '' ? null : label;
  const caller: Caller | Refusal = authenticate(table, { authorization, cookie, address }, 'kitemirror', now);
  const isCaller = typeof caller !== 'string';
  return [
    isCaller ? caller.kind : caller,
    isCaller ? (caller.subject ?? '-') : '-',
    isCaller && canRead(caller.access, known),
    isCaller && knowsPipeline(caller.access, label.organization, label.pipeline),
    isPublicPath(table.publics, known, path),
  ].join(' ');
}

/** @param names of files with cases */
async function decideInLighttpd(site: string, names: readonly string[]): Promise<string[][]> {
  const command = findCommand(lighttpdNeed.commands, process.env.PATH ?? '');
  assert.ok(command !== null);
  const port = await freePort();
  const conf = join(site, 'lighttpd.conf');
  writeFileSync(
    conf,
    `server.modules = ("mod_magnet")
server.document-root = env.SITE_CASES
server.bind = "127.0.0.1"
server.port = ${port}
magnet.attract-raw-url-to = ( env.SITE_HOME + "/test/identity/compare.lua" )
`,
  );
  const env = { SITE_HOME: root, SITE_CASES: site };
  const child = spawn(command, ['-D', '-f', conf], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'exit');
  try {
    await until('lighttpd has decided', async () => {
      const answer = await ask(port, '/cases').catch(() => null);
      if (answer !== null && answer.status !== 200) throw new Error(`${answer.status}: ${said}`);
      return answer !== null;
    });
    const decided = await Promise.all(names.map((name) => ask(port, `/${name}`)));
    return decided.map(({ text }) => text.trimEnd().split('\n'));
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}
