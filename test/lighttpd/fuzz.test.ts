import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { askRaw } from './ask.ts';
import { build, openJob, place, put, type Site, startSite } from './site.ts';

/** Stands in every file that nobody may have, and in no other. */
const secret = 'kept-to-ourselves';
const job = `${build}/jobs/${openJob}`;

let site: Site;

before(async () => {
  site = await startSite();
  const { paths } = site;
  put(paths, paths.jobFile(place, openJob, 'artifacts/a.txt'), 'public');
  const kept = [
    join(paths.root, 'secret.txt'),
    join(paths.state, 'unsettled', 'x', 'build.json'),
    join(paths.spool, '1.log'),
    join(paths.logs, 'other.log'),
    join(paths.redis, 'appendonly.aof'),
    paths.stagingFile('s.txt'),
    paths.blob('ab'.repeat(32)),
    paths.catalog,
    paths.views(place),
    paths.settledMarker(place, openJob),
    paths.pointer('acme', 'web', 'latest', 'main', 'passed'),
    join(paths.pages, 'acme', 'web', 'latest', 'plain.passed'),
    paths.movedPointer('acme', 'old'),
    join(paths.build(place), '.0123456789abcdef.tmp'),
    join(paths.build(place), 'other.json'),
    join(paths.job(place, openJob), '.0123456789abcdef.tmp'),
    join(paths.job(place, openJob), 'job.json.tmp'),
    join(paths.build(place), 'steps', 'test', 'notes.txt'),
    join(paths.pipeline('acme', 'web'), 'x.txt'),
    join(paths.tree, 'top.txt'),
    join(paths.pages, 'top.html'),
  ];
  for (const file of kept) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${secret}\n`);
  }
});
after(() => site.close());

/** Addresses of what is kept, as close to the disk as an address can be. */
function targets(): string[] {
  const { paths } = site;
  const pointer = paths.pointer('', '', 'latest', 'main', 'passed').split('/').at(-1) ?? '';
  return [
    '/secret.txt',
    '/state/unsettled/x/build.json',
    '/spool/1.log',
    '/logs/other.log',
    '/redis/appendonly.aof',
    '/staging/s.txt',
    `/blobs.v1/sha256/ab/${'ab'.repeat(32)}`,
    '/catalog.sqlite',
    `${build}/views.json`,
    `${job}/settled`,
    `/acme/web/latest/${pointer}`,
    '/acme/web/latest/plain.passed',
    '/acme/old.moved',
    '/top.txt',
    '/top.html',
    `${build}/.0123456789abcdef.tmp`,
    `${build}/other.json`,
    `${job}/.0123456789abcdef.tmp`,
    `${job}/job.json.tmp`,
    `${build}/steps/test/notes.txt`,
    '/acme/web/x.txt',
    '/run/lighttpd.pid',
    '/lighttpd.conf',
    '/etc/passwd',
  ];
}

/** Ways to write an address so that a careless server reads another. */
function tricks(path: string): string[] {
  const up = '../'.repeat(12);
  const below = `${job}/artifacts`;
  const name = path.split('/').at(-1) ?? '';
  return [
    path,
    `/${path}`,
    `${path}/`,
    `${path}//`,
    `${path}/.`,
    `${path}/..`,
    `${path}/x`,
    `${path}?`,
    `${path}?list`,
    `${path}#`,
    `${path}%00`,
    `${path}%00.txt`,
    `${path}%20`,
    `${path};.txt`,
    `${path}\\`,
    path.replaceAll('/', '%2f'),
    path.replaceAll('/', '%2F'),
    path.replaceAll('/', '\\'),
    path.replaceAll('/', '%5c'),
    path.replaceAll('/', '%c0%af'),
    path.replaceAll('/', '%252f'),
    path.replaceAll('/', '／'),
    path.replace('/', '/./'),
    path.replace('/', '/%2e/'),
    `/..${path}`,
    `/%2e%2e${path}`,
    `/.%2e${path}`,
    `/%252e%252e${path}`,
    `/..%2f${path.slice(1)}`,
    `/..%5c${path.slice(1)}`,
    `/..\\${path.slice(1)}`,
    `/..;${path}`,
    `${below}/${up}${path.slice(1)}`,
    `${below}/..${path}`,
    `${below}/a.txt/..${path}`,
    `${below}/../../../../../../../..${path}`,
    `${below}/%2e%2e%2f%2e%2e${path}`,
    `${below}/../${name}`,
    `${build}/artifacts/../${name}`,
    `${build}/steps/test/artifacts/../${name}`,
    `${below}/...${path}`,
    `/-/..${path}`,
    `/-/healthz/..${path}`,
    `/tree${path}`,
    `/pages${path}`,
    `/tree/..${path}`,
    `/acme/web/latest/main/-/../../..${path}`,
    `/acme/web/latest/main/-/..%2f..${path}`,
    `/acme/old/..${path}`,
    `/./${path.slice(1)}`,
    `//127.0.0.1${path}`,
    `http://127.0.0.1${path}`,
    `file://${path}`,
    `*`,
    path.slice(1),
    ' ',
    `/${'a/'.repeat(500)}..${path}`,
    `${path}\t`,
    path
      .split('')
      .map((char) => `%${char.charCodeAt(0).toString(16)}`)
      .join(''),
    `/%${path.slice(1)}`,
    `/%u002e%u002e${path}`,
    `${path}%`,
    `/acme${path}`,
    `/acme/web${path}`,
    `${build}${path}`,
    `${job}${path}`,
    `${below}-by-id${path}`,
    `${below}-by-id/x/../..${path}`,
    path.toUpperCase(),
  ];
}

const methods = ['GET', 'HEAD', 'POST', 'OPTIONS', 'PROPFIND', 'CONNECT', 'get'];

it('nothing outside the public set ever comes out, however it is asked for', async () => {
  const requests: string[] = [];
  for (const path of targets()) {
    for (const [index, trick] of tricks(path).entries()) {
      // Every trick as a GET, each with one of the other methods too.
      const other = methods[1 + (index % (methods.length - 1))] ?? 'HEAD';
      for (const method of index % 4 === 0 ? ['GET', other] : ['GET']) {
        const extra =
          method === 'GET' && index % 5 === 0
            ? 'X-Kitemirror-To: gateway\r\nX-Original-URL: /secret.txt\r\nRange: bytes=0-99\r\n'
            : '';
        requests.push(
          `${method} ${trick} HTTP/1.1\r\nHost: 127.0.0.1:${site.port}\r\n${extra}Content-Length: 0\r\nConnection: close\r\n\r\n`,
        );
      }
    }
  }
  const statuses = new Map<string, number>();
  const lanes = Array.from({ length: 16 }, async (_, lane) => {
    for (let index = lane; index < requests.length; index += 16) {
      const bytes = requests[index] ?? '';
      const answer = await askRaw(site.port, bytes);
      assert.ok(!answer.includes(secret) && !answer.includes('root:'), bytes);
      const [, status = answer.slice(0, 20)] = /^HTTP\/1\.[01] (\d{3})/.exec(answer) ?? [];
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (Number(status) >= 400) assert.match(answer, /\r\ncache-control: no-store\r\n/i, bytes);
      if (Number(status) >= 500) assert.equal(status, '501', bytes);
      if (Number(status) >= 400 && !bytes.startsWith('HEAD '))
        assert.match(answer, /\r\n\r\n\{"error":"ERR_[A-Z_]+","message":"[^"]+","id":"[0-9a-f]+"\}\n$/, bytes);
      const location = /\r\nlocation: (.*)\r\n/i.exec(answer)?.[1];
      if (location !== undefined) assert.match(location, /^\/(?![/\\])/, bytes);
    }
  });
  await Promise.all(lanes);
  assert.ok(requests.length > 1500);
  assert.deepEqual(
    [...statuses.keys()].filter((status) => !/^(200|206|30[12]|400|404|405|421|501)$/.test(status)),
    [],
  );
});
