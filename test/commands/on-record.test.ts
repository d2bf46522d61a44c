/** What an operator changes is in the audit: each command says which of its ways do, and the runner writes who ran it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseArgs } from 'node:util';
import type { Command } from '../../src/commands/command.ts';
import { commands } from '../../src/commands/table.ts';
import { auditParts } from '../../src/tree/audit.ts';
import { jsonLines } from '../../src/tree/json-lines.ts';
import { dataPaths } from '../../src/tree/paths.ts';
import { kitemirror } from './scene.ts';

const data = mkdtempSync(join(tmpdir(), 'kitemirror-on-record-'));
after(() => rmSync(data, { recursive: true, force: true }));

/** Of every command: ways that change something, and ways that look. */
const ways: Readonly<Record<string, { readonly changing: readonly string[]; readonly looking: readonly string[] }>> = {
  audit: { changing: [], looking: ['', '--who ann'] },
  backup: { changing: [], looking: ['/backup'] },
  pin: { changing: ['web/1', 'web/1 --remove'], looking: [''] },
  doctor: { changing: [], looking: [''] },
  status: { changing: [], looking: [''] },
  tasks: { changing: ['retry --failed', 'retry x', 'drop x'], looking: ['', 'list', 'list --state failed'] },
  backfill: { changing: ['', '--no-wait'], looking: ['--dry-run'] },
  reconcile: { changing: [''], looking: [] },
  webhook: { changing: ['install', 'repair'], looking: ['', 'check'] },
  policy: { changing: [], looking: ['check', 'test x.yml'] },
  portal: { changing: [], looking: ['', '--check'] },
  purge: { changing: ['--digest x', 'web/1/a.txt'], looking: ['--digest x --dry-run'] },
  rebuild: { changing: [''], looking: [] },
  reload: { changing: [''], looking: [] },
  retention: { changing: [''], looking: ['--dry-run'] },
  verify: { changing: ['', '--sample 1'], looking: [] },
  revoke: { changing: ['--keys', '--id x'], looking: [] },
  token: { changing: ['create --name x --read a/b', 'revoke x'], looking: ['list'] },
};

function changes(command: Command, line: string): boolean {
  const args = line.split(' ').filter((word) => word !== '');
  const { values, positionals } = parseArgs({ args, options: command.options ?? {}, allowPositionals: true });
  return command.changes({ values, words: positionals });
}

test('every command says which of its ways change something', async () => {
  assert.deepEqual(Object.keys(ways).toSorted(), Object.keys(commands).toSorted());
  for (const [name, load] of Object.entries(commands)) {
    const command = await load();
    for (const line of ways[name]?.changing ?? []) assert.equal(changes(command, line), true, `${name} ${line}`);
    for (const line of ways[name]?.looking ?? []) assert.equal(changes(command, line), false, `${name} ${line}`);
  }
});

test('a command that changes something is on record with who ran it, also where it broke off; one that looks is not', async () => {
  const env = { BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_DATA: data, REDIS_URL: `unix://${data}/no.sock` };
  const paths = dataPaths(data);
  assert.equal((await kitemirror(['tasks', 'drop', 'x'], env)).code, 1);
  assert.deepEqual(auditParts(paths), [], 'a folder that holds no mirror');

  assert.equal((await kitemirror(['token', 'create', '--name', 'nightly', '--read', 'acme/web'], env)).code, 0);
  writeFileSync(paths.format, '1\n');
  assert.equal((await kitemirror(['token', 'list'], env)).code, 0);
  assert.equal((await kitemirror(['token', 'create', '--name', '?'], env)).code, 64);
  assert.equal((await kitemirror(['tasks', 'drop', 'x'], env)).code, 1);
  const lines: unknown[] = [];
  for (const { name } of auditParts(paths))
    for await (const { action, what, by, reason } of jsonLines(join(paths.audit, name)))
      if (action === 'command') lines.push([what, by, reason]);
  const { username } = userInfo();
  assert.deepEqual(lines, [
    ['token create --name nightly --read acme/web', username, 'exit 0'],
    ['tasks drop x', username, 'broke off'],
  ]);
  const { out } = await kitemirror(['audit', '--who', username, '--json'], env);
  assert.equal(out.trim().split('\n').length, 2, out);
});
