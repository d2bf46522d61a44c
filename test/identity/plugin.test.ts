/** The example plugin as a job runs it: its hook by bash, the agent a script of ours, a mirror that is real. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { findCommand } from '../../src/programs.ts';
import type { Place } from '../../src/tree/paths.ts';
import { writePointer } from '../../src/tree/pointers.ts';
import { put, root } from '../lighttpd/site.ts';
import { until } from '../lighttpd/until.ts';
import { sampleArtifact, sampleBuild, sampleJob } from '../pages/samples.ts';
import { addressOf, job, type Mirror, startMirror } from './scene.ts';

const hook = join(root, 'examples', 'buildkite-plugin', 'hooks', 'pre-command');
const web: Place = { organization: 'acme', folder: 'web', number: 42 };
const vault: Place = { organization: 'acme', folder: 'vault', number: 7 };
const systemPath = process.env.PATH ?? '';
const lacking = ['bash', 'curl', 'jq', 'sha256sum'].filter((name) => findCommand([name], systemPath) === null);
const skip = lacking.length > 0 && `not on this machine: ${lacking.join(', ')}`;
const shellcheck = findCommand(['shellcheck'], systemPath);

const sha256Of = (content: string): string => createHash('sha256').update(content).digest('hex');

let mirror: Mirror;
let folder: string;

/** What the mirror's records say of these files; `sums`: what SHA256SUMS says instead. */
function putRecords(at: Place, files: Readonly<Record<string, string>>, sums?: string): void {
  const { paths } = mirror;
  const artifacts = Object.entries(files).map(([path, content], number) => {
    put(paths, paths.jobFile(at, job, `artifacts/${path.replaceAll('..', 'dots')}`), content);
    const url = `jobs/${job}/artifacts/${encodeURI(path.replaceAll('..', 'dots'))}`;
    return sampleArtifact(job, number, path, { sha256: sha256Of(content), url });
  });
  const lines = artifacts.map(({ path, sha256 }) => `${sha256}  artifacts/${path}\n`);
  put(paths, paths.jobFile(at, job, 'SHA256SUMS'), sums ?? lines.join(''));
  const record = sampleJob(1, { id: job, artifacts });
  put(paths, paths.jobFile(at, job, 'job.json'), JSON.stringify(record));
  const build = sampleBuild([record], { organization: at.organization, pipeline: at.folder, number: at.number });
  put(paths, paths.buildFile(at, 'build.json'), JSON.stringify(build));
}

/** @returns how the hook ended, what it said, and what the agent was asked */
async function run(entry: Readonly<Record<string, string>>, token: string) {
  const to = mkdtempSync(join(folder, 'to-'));
  const calls = join(to, '.calls');
  writeFileSync(calls, '');
  const given = Object.entries({ url: mirror.origin, to, ...entry });
  const settings = given.map(([name, value]) => [`BUILDKITE_PLUGIN_KITEMIRROR_${name.toUpperCase()}`, value] as const);
  const child = spawn('bash', [hook], {
    env: {
      PATH: `${join(folder, 'bin')}:${systemPath}`,
      AGENT_TOKEN: token,
      AGENT_CALLS: calls,
      BUILDKITE_ORGANIZATION_SLUG: 'acme',
      BUILDKITE_PIPELINE_SLUG: 'deploy',
      BUILDKITE_BUILD_NUMBER: '3',
      ...Object.fromEntries(settings),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number, said: `${out}${err}`, to, asked: readFileSync(calls, 'utf8').trimEnd().split('\n') };
}

before(async () => {
  if (skip !== false) return;
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-plugin-'));
  mkdirSync(join(folder, 'bin'));
  const agent = join(folder, 'bin', 'buildkite-agent');
  writeFileSync(
    agent,
    '#!/bin/sh\necho "$*" >> "$AGENT_CALLS"\n[ "$1" != oidc ] || printf %s "$AGENT_TOKEN"\n[ "$1" != artifact ] || echo from Buildkite > "$4/fetched"\n',
  );
  chmodSync(agent, 0o755);
  mirror = await startMirror(
    [web, vault],
    'version: 1\nrules:\n  - { who: { ci: { organization: acme, pipeline: deploy } }, read: acme/web }\n',
  );
  putRecords(web, {
    'dist/app.js': 'the app',
    'dist/deep/a b.css': 'the style',
    'log.txt': 'a log',
    'dist/../x': 'out',
  });
  putRecords(vault, { 'dist/app.js': 'a secret' });
});
after(async () => {
  await mirror?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe('the plugin of the examples', { skip }, () => {
  it('exchanges the job’s token, and downloads what its glob matches', async () => {
    const { code, said, to, asked } = await run(
      { pipeline: 'web', build: '42', files: 'dist/*' },
      await mirror.agentToken(),
    );
    assert.equal(code, 0, said);
    assert.equal(readFileSync(join(to, 'dist', 'app.js'), 'utf8'), 'the app');
    assert.equal(readFileSync(join(to, 'dist', 'deep', 'a b.css'), 'utf8'), 'the style');
    assert.ok(!existsSync(join(to, 'log.txt')) && !existsSync(join(to, 'x')));
    assert.match(said, /dist\/\.\.\/x is left out for its name/);
    assert.match(said, new RegExp(`2 files from ${mirror.origin}${addressOf(web)}/`));
    assert.deepEqual(asked, [`oidc request-token --audience ${mirror.origin} --claim organization_id,pipeline_id`]);
  });

  it('keeps nothing that SHA256SUMS does not name, and says so', async () => {
    const sums = `${sha256Of('another')}  artifacts/dist/app.js\n${sha256Of('a secret')}  artifacts/dist/app_js\n`;
    putRecords(vault, { 'dist/app.js': 'a secret' }, sums);
    mirror.policy('version: 1\nrules:\n  - { who: { ci: { pipeline: deploy } }, read: [acme/web, acme/vault] }\n');
    const token = await mirror.agentToken();
    let last = await run({ pipeline: 'vault', build: '7', files: 'dist/*' }, token);
    // The policy counts within seconds; a fast machine asks dozens of times in one.
    const isRefused = async (): Promise<boolean> => {
      last = await run({ pipeline: 'vault', build: '7', files: 'dist/*' }, token);
      return /is not what/.test(last.said);
    };
    await until('the policy to count', isRefused, 20_000);
    assert.match(last.said, /dist\/app\.js is not what SHA256SUMS says/);
    assert.notEqual(last.code, 0);
    assert.ok(!existsSync(join(last.to, 'dist', 'app.js')) && !existsSync(join(last.to, 'dist', 'app.js.part')));
  });

  it('follows a pointer to the build that it names', async () => {
    writePointer(mirror.paths, mirror.paths.pointer('acme', 'web', 'latest', 'main', 'passed'), web.number);
    const token = await mirror.agentToken();
    const { code, said, to } = await run({ pipeline: 'web', build: 'latest/main', files: 'dist/app.js' }, token);
    assert.equal(code, 0, said);
    assert.equal(readFileSync(join(to, 'dist', 'app.js'), 'utf8'), 'the app');
    assert.match(said, new RegExp(`1 files from ${mirror.origin}${addressOf(web)}/`));
    const none = await run({ pipeline: 'web', build: 'latest/none', files: 'dist/app.js' }, token);
    assert.deepEqual([none.code === 0, none.asked.length], [false, 1], none.said);
  });

  it('has the agent download this very build where the mirror cannot help, and no other', async () => {
    const own = await run({ files: 'dist/*' }, 'no.token.atall');
    assert.equal(own.code, 0, own.said);
    assert.equal(own.asked.at(-1), `artifact download dist/* ${own.to}`);
    assert.equal(readFileSync(join(own.to, 'fetched'), 'utf8'), 'from Buildkite\n');
    const other = await run({ pipeline: 'web', build: '42', files: 'dist/*' }, 'no.token.atall');
    assert.notEqual(other.code, 0);
    assert.ok(other.asked.every((line) => line.startsWith('oidc ')));
  });

  it('passes shellcheck', { skip: shellcheck === null && 'shellcheck is not on this machine' }, () => {
    execFileSync(shellcheck ?? '', [hook], { stdio: 'inherit' });
  });
});
