/** What Dockerfile and compose.yaml would run, run here: the very commands, with the very settings and nothing else. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import { type Program, parseConfig } from '../../src/config.ts';
import { findCommand, redisNeed } from '../../src/programs.ts';
import { freePorts, later, root, temporaryFolder, until } from './scene.ts';

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly read_only?: boolean;
  readonly depends_on?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const compose = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'), { merge: true }) as Compose;
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ').split('\n');
const ours = Object.entries(compose.services).filter(([, { build }]) => build === '.');

function instructions(name: string): string[] {
  return dockerfile.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim());
}

test('the image copies what is there, runs unprivileged, and its command exists', () => {
  const copied = instructions('COPY')
    .filter((line) => !line.startsWith('--from'))
    .flatMap((line) => line.split(' ').slice(0, -1));
  assert.deepEqual(
    copied.filter((name) => !existsSync(join(root, name))),
    [],
  );
  for (const name of ['bin', 'src', 'workers', 'lighttpd', 'lighttpd.conf', 'package-lock.json']) {
    assert.ok(copied.includes(name), name);
  }
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  assert.deepEqual(
    copied.filter((name) => !ignored.includes(`!${name}`)),
    [],
  );
  const [user] = instructions('USER');
  assert.ok(user !== undefined && user !== 'root');
  const [command] = instructions('CMD').map((line) => JSON.parse(line) as string[]);
  assert.deepEqual(command, ['bin/kitemirror', 'start']);
});

test('each service holds the secrets that it needs, no other has them, and none writes outside its volume', () => {
  const holders = (secret: string): string[] =>
    ours.filter(([, { secrets }]) => secrets?.includes(secret)).map(([name]) => name);
  assert.deepEqual(holders('buildkite_api_token'), ['worker']);
  assert.deepEqual(holders('buildkite_webhook_token'), ['receiver']);
  const published = Object.entries(compose.services)
    .filter(([, { ports }]) => ports !== undefined)
    .map(([name]) => name);
  assert.deepEqual(published, ['lighttpd']);
  for (const [name, service] of ours) {
    assert.equal(service.read_only, true, name);
    for (const secret of service.secrets ?? []) {
      assert.ok(compose.secrets[secret], secret);
      assert.equal(service.environment?.[`${secret.toUpperCase()}_FILE`], `/run/secrets/${secret}`);
    }
    for (const needed of service.depends_on ?? []) assert.ok(compose.services[needed], needed);
  }
});

test('with the settings of identity that its comments name, each service takes what it is told', () => {
  const text = readFileSync(join(root, 'compose.yaml'), 'utf8');
  const said = text.replaceAll(/^ {2}# (KITEMIRROR_(?:POLICY|TRUSTED_PROXIES): )/gm, '  $1');
  const services = Object.entries((parse(said, { merge: true }) as Compose).services).filter(
    ([name]) => name !== 'redis',
  );
  const image = instructions('ENV').flatMap((line) => line.split(/\s+/).map((each) => each.split('=')));
  const url = { BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_URL: 'https://artifacts.example.com' };
  for (const [name, { environment = {} }] of services) {
    const told = Object.entries(environment).flatMap(([key, value]) =>
      key.endsWith('_FILE') ? [[key.slice(0, -'_FILE'.length), 'x']] : [[key, interpolate(value, url)]],
    );
    const env = { ...Object.fromEntries(image), ...Object.fromEntries(told) };
    const read = (): unknown => parseConfig(env, name as Program, '/app').config.identity;
    assert.notEqual(read(), null, name);
    delete env.KITEMIRROR_TRUSTED_PROXIES;
    assert.throws(read, /KITEMIRROR_LISTEN is on 0\.0\.0\.0: identity needs https/, name);
  }
});

test('the services, started as they are written, are one mirror, and each ends with 0', async (t) => {
  const folder = temporaryFolder(t);
  const [front = 0, redis = 0, metrics = 0, workerMetrics = 0] = await freePorts(4);
  mkdirSync(join(folder, 'secrets'));
  for (const name of Object.keys(compose.secrets))
    writeFileSync(join(folder, 'secrets', name), `a-secret-of-${name}\n`);
  const here = (value: string): string =>
    interpolate(value, { BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_URL: `http://127.0.0.1:${front}` })
      .replace(/^\/data$/, join(folder, 'data'))
      .replace('/run/secrets', join(folder, 'secrets'))
      .replace('redis://redis:6379', `redis://127.0.0.1:${redis}`)
      .replace('0.0.0.0:8080', `127.0.0.1:${front}`)
      .replace('0.0.0.0:9464', `127.0.0.1:${metrics}`)
      .replace('0.0.0.0:9465', `127.0.0.1:${workerMetrics}`);

  startRedis(t, compose.services.redis?.command ?? [], redis, folder);
  const running = ours.map(([name, { command, environment }]) => {
    const settings = Object.entries(environment ?? {}).map(([key, value]) => [key, here(value)]);
    const env = { PATH: process.env.PATH, ...Object.fromEntries(settings) };
    const child = spawn(join(root, command[0] ?? ''), command.slice(1), {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.resume();
    later(t, () => child.kill('SIGKILL'));
    return { name, child };
  });
  assert.equal(running.length, 4);

  const answers = async (url: string): Promise<boolean> =>
    fetch(url).then(
      async (response) => (await response.arrayBuffer(), response.status === 200),
      () => false,
    );
  await until('receiver', () => answers(`http://127.0.0.1:${front}/-/readyz`));
  await until('gateway', () => answers(`http://127.0.0.1:${front}/`));
  await until('metrics of the receiver', () => answers(`http://127.0.0.1:${metrics}/metrics`));
  await until('metrics of the worker', () => answers(`http://127.0.0.1:${workerMetrics}/readyz`));
  for (const { name, child } of running.toReversed()) assert.equal(await end(child), 0, name);
});

function startRedis(t: TestContext, command: readonly string[], port: number, folder: string): void {
  const program = findCommand(redisNeed.commands, process.env.PATH ?? '') ?? '';
  const args = [...command.slice(1), '--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const child = spawn(program, args, { stdio: 'ignore' });
  later(t, () => child.kill('SIGKILL'));
}

async function end(child: ChildProcess): Promise<number | null> {
  const ended = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGTERM');
  const [code] = await ended;
  return code;
}

/** `${NAME:-default}` and `${NAME:?message}`, as Compose reads them. */
function interpolate(value: string, env: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\{(\w+)(?::[-?]([^}]*))?\}/g, (_, name: string, other: string) => env[name] ?? other);
}
