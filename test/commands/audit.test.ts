/** `kitemirror audit` over logs as Lighttpd and the mirror write them. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { audit } from '../../src/commands/audit.ts';
import { parseConfig } from '../../src/config.ts';
import { recorded } from '../../src/identity/on-record.ts';
import { accessEntries } from '../../src/tree/access-log.ts';
import { auditPartBytes, auditParts, trimAudit, writeAudit } from '../../src/tree/audit.ts';
import { rotateAccessLog } from '../../src/tree/log-rotation.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { preparedData } from '../tree/folder.ts';
import { kitemirror } from './scene.ts';

const data = mkdtempSync(join(tmpdir(), 'kitemirror-audit-'));
const paths: DataPaths = dataPaths(data);
const env = { KITEMIRROR_DATA: data, BUILDKITE_ORGANIZATION: 'acme' };
const file = '/acme/web/builds/42/artifacts/a.zip';

const line = (ts: string, more: Record<string, unknown> = {}): string =>
  `${JSON.stringify({ ts, id: 'r1', ip: '192.0.2.1', method: 'GET', url: file, query: '-', status: 200, bytes: '12', duration_us: 1, user_agent: 'curl', referer: '-', subject: 'ann@example.com', kind: 'user', issuer: 'https://login.example', decision: 'allow', reason: 'granted', ...more })}\n`;

function putLog(name: string, content: string | Buffer, written: string): void {
  writeFileSync(join(paths.logs, name), content);
  utimesSync(join(paths.logs, name), new Date(written), new Date(written));
}

interface Line {
  readonly time: string;
  readonly log: string;
  readonly action: string;
  readonly who: string | null;
  readonly what: string | null;
  readonly bytes: number | null;
}

/** In this process: a process of its own for each question is only slower. */
async function asked(values: Readonly<Record<string, string>>): Promise<Line[]> {
  const said: string[] = [];
  const code = await audit.run({
    root: data,
    settings: () => parseConfig(env, 'command', data),
    values: { ...values, json: true },
    words: [],
    io: { say: (text) => said.push(text), note: () => {}, isWatched: false, columns: 80, redraw: () => {} },
    signal: new AbortController().signal,
    onEnd: () => {},
  });
  assert.equal(code, 0);
  return said.map((text) => JSON.parse(text) as Line);
}

before(async () => {
  mkdirSync(paths.logs, { recursive: true });
  putLog('access.log.2.gz', gzipSync(line('2026-10-30T10:00:00Z')), '2026-10-30T11:00:00Z');
  putLog(
    'access.log.1',
    line('2026-11-01T10:00:00Z', { subject: 'acme/deploy', ip: '192.0.2.7' }),
    '2026-11-01T11:00:00Z',
  );
  const many = Array.from({ length: 3000 }, (_, index) =>
    line('2026-11-03T10:00:00Z', { url: `/acme/app/builds/${index}/` }),
  );
  const cut = '{"ts":"2026-11-03T10';
  const odd = line('2026-11-04T10:00:00Z', {
    subject: '-',
    url: '/acme/web/builds/7/artifacts/%1b%5B31m.txt',
    bytes: '-',
    status: 404,
  });
  putLog('access.log', `${many.join('')}${cut}\n${odd}`, '2026-11-04T11:00:00Z');
  const claims = { sub: 'ann', email: 'ann@example.com' };
  const login = { action: 'login', who: 'ann@example.com', id: 'session-1', claims, reason: 'signed in' } as const;
  await writeAudit(paths, login, new Date('2026-10-30T09:59:00.000Z'));
  const purge = {
    action: 'purge',
    organization: 'acme',
    pipeline: 'web',
    number: 42,
    sha256: 'f'.repeat(64),
    reason: 'a key',
  } as const;
  await writeAudit(paths, purge, new Date('2026-11-02T00:00:00.000Z'));
});
after(() => rmSync(data, { recursive: true, force: true }));

describe('the audit', () => {
  it('joins the access log, with what was rotated and compressed, and the audit, the oldest first', async () => {
    const all = await asked({ what: '/acme/web/' });
    assert.deepEqual(
      all.map(({ time, log, action }) => `${time.slice(0, 10)} ${log} ${action}`),
      ['2026-10-30 access GET', '2026-11-01 access GET', '2026-11-02 audit purge', '2026-11-04 access GET'],
    );
    assert.equal((await asked({})).length, 3005);
  });

  it('names what somebody did, by name in any case, address or id', async () => {
    const ann = await asked({ who: 'Ann@example.com', what: file });
    assert.deepEqual(
      ann.map(({ what, bytes }) => [what, bytes]),
      [[file, 12]],
    );
    assert.deepEqual(
      (await asked({ who: '192.0.2.7' })).map(({ who }) => who),
      ['acme/deploy'],
    );
    assert.deepEqual(
      (await asked({ who: 'session-1' })).map(({ action }) => action),
      ['login'],
    );
    assert.equal((await asked({ who: '*@example.com', since: '2026-11-03' })).length, 3000);
  });

  it('takes what is meant by address, build, digest, action or pattern, and never half a name', async () => {
    assert.equal((await asked({ what: `https://mirror.example${file}` })).length, 2);
    assert.deepEqual((await asked({ what: 'acme/web/builds/4' })).length, 0);
    assert.deepEqual(
      (await asked({ what: 'f'.repeat(64) })).map(({ action }) => action),
      ['purge'],
    );
    assert.deepEqual(
      (await asked({ what: 'login' })).map(({ who }) => who),
      ['ann@example.com'],
    );
    assert.equal((await asked({ what: 'acme/*/builds/42' })).length, 4);
  });

  it('since a time leaves out what was before', async () => {
    assert.deepEqual(
      (await asked({ since: '2026-11-01T10:00:00.500Z', what: 'acme/web' })).map(({ time }) => time.slice(0, 10)),
      ['2026-11-02', '2026-11-04'],
    );
    const { code, err } = await kitemirror(['audit', '--since', 'yesterday'], env);
    assert.equal(code, 64);
    assert.match(err, /--since is "yesterday"/);
  });

  it('sends no control character of a name to a terminal', async () => {
    const { out } = await kitemirror(['audit', '--what', 'acme/web/builds/7'], env);
    assert.match(out, /192\.0\.2\.1 {2}GET {2}\/acme\/web\/builds\/7\/artifacts\/\\x1b\[31m\.txt {2}404/);
    assert.doesNotMatch(out.trimEnd(), /\p{Cc}/u);
  });

  it('reads on where one part is damaged, names it, and ends with 1', async () => {
    const whole = gzipSync(line('2026-10-01T10:00:00Z').repeat(2000));
    putLog('access.log.3.gz', whole.subarray(0, whole.length - 20), '2026-10-02T10:00:00Z');
    const { code, out, err } = await kitemirror(['audit', '--json', '--what', 'acme/web'], env);
    assert.equal(code, 1);
    assert.match(err, /access\.log\.3\.gz: unexpected end of file/);
    assert.match(out, /2026-11-04T10:00:00Z/);
  });
});

describe('logs that have grown', () => {
  const grown = mkdtempSync(join(tmpdir(), 'kitemirror-grown-'));
  const own = dataPaths(grown);
  after(() => rmSync(grown, { recursive: true, force: true }));
  const november = new Date('2020-11-20T00:00:00.000Z');
  const refusal = (reason: string): Parameters<typeof writeAudit>[1] => ({ action: 'refusal', reason });
  /** Other entries, until the part that is written to is full. */
  const fill = (): void => {
    const name = auditParts(own).at(-1)?.name ?? '';
    const entry = `${JSON.stringify({ time: november.toISOString(), action: 'pin', reason: 'x'.repeat(1000) })}\n`;
    appendFileSync(join(own.audit, name), entry.repeat(Math.ceil(auditPartBytes / entry.length)));
  };
  const reasons = async (): Promise<string[]> => {
    const asking = { who: null, what: 'refusal', since: 0, onFault: assert.ifError };
    const found: string[] = [];
    for await (const { reason } of recorded(own, asking)) found.push(reason ?? '');
    return found;
  };

  it('the audit goes on in another part when one is full; what many write at once is all there, and read in order', async () => {
    await writeAudit(own, refusal('first'), november);
    fill();
    await Promise.all(Array.from({ length: 50 }, (_, index) => writeAudit(own, refusal(`n${index}`), november)));
    fill();
    await writeAudit(own, refusal('third'), november);
    await writeAudit(own, refusal('december'), new Date('2020-12-01T00:00:00.000Z'));
    assert.deepEqual(
      auditParts(own).map(({ name }) => name),
      ['2020-11.jsonl', '2020-11.2.jsonl', '2020-11.3.jsonl', '2020-12.jsonl'],
    );
    const all = await reasons();
    assert.equal(all.length, 53);
    assert.deepEqual(new Set(all.filter((reason) => /^n\d+$/.test(reason))).size, 50);
    assert.deepEqual([all[0], all.at(-2), all.at(-1)], ['first', 'third', 'december']);
  });

  it('beyond its bounds the audit loses its oldest part alone, and says which', async () => {
    await trimAudit(own, null);
    await trimAudit(own, 3 * auditPartBytes);
    assert.equal(auditParts(own).length, 4);
    await trimAudit(own, auditPartBytes + 1_000_000);
    assert.equal(
      auditParts(own).some(({ name }) => name === '2020-11.jsonl'),
      false,
    );
    assert.equal((await reasons()).at(-1), 'december');
    const trims: string[] = [];
    for await (const { what } of recorded(own, { who: null, what: 'trim', since: 0, onFault: assert.ifError }))
      trims.push(what ?? '');
    assert.deepEqual(trims, ['2020-11.jsonl']);
    await trimAudit(own, 1);
    const month = new Date().toISOString().slice(0, 7);
    assert.deepEqual(
      auditParts(own).map(({ name }) => name),
      [`${month}.jsonl`],
      'the one that is written to stays',
    );
  });

  it('the access log is read whole while it is rotated', async () => {
    mkdirSync(own.logs, { recursive: true });
    const lines = (from: string): string => line('2026-11-01T10:00:00Z', { id: from }).repeat(2000);
    for (const [name, at] of [
      ['access.log.1', '2026-11-01'],
      ['access.log', '2026-11-02'],
    ] as const) {
      writeFileSync(join(own.logs, name), lines(name));
      utimesSync(join(own.logs, name), new Date(at), new Date(at));
    }
    const counts: Record<string, number> = {};
    for await (const { id } of accessEntries(own)) {
      // In the middle of the older part.
      if (counts['access.log.1'] === 1000) assert.ok(rotateAccessLog(own, 100));
      counts[String(id)] = (counts[String(id)] ?? 0) + 1;
    }
    assert.deepEqual(counts, { 'access.log.1': 2000, 'access.log': 2000 });
  });
});

it('gives what root writes to the mirror’s own user, who is to go on with the file', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('only root can give a file away');
  const paths = await preparedData(t);
  chownSync(paths.root, 65_534, 65_534);
  await writeAudit(paths, { action: 'command', by: 'root', reason: 'from cron' });
  const owners = [paths.audit, ...readdirSync(paths.audit).map((name) => join(paths.audit, name))].map(
    (file) => statSync(file).uid,
  );
  assert.deepEqual(owners, [65_534, 65_534]);
});
