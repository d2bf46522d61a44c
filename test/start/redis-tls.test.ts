/** `rediss://`: a real Redis that speaks TLS alone, with a CA of one's own, and the URL from a file. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findCommand, redisNeed } from '../../src/programs.ts';
import { freePorts, later, root, run, temporaryFolder, until } from './scene.ts';

const password = 'a/long?password';

/** @returns its port and the CA's file; clients need no certificate of their own */
async function startRedis(t: TestContext): Promise<{ port: number; ca: string; folder: string }> {
  const folder = temporaryFolder(t);
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const who = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...who], { stdio: 'ignore' });
  const [port = 0] = await freePorts(1);
  const tls = ['--tls-port', String(port), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  const rest = [
    '--port',
    '0',
    '--bind',
    '127.0.0.1',
    '--tls-auth-clients',
    'no',
    '--requirepass',
    password,
    '--save',
    '',
  ];
  const command = findCommand(redisNeed.commands, process.env.PATH ?? '') ?? 'redis-server';
  const server: ChildProcess = spawn(command, [...rest, ...tls, '--dir', folder], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  later(t, async () => {
    server.kill('SIGKILL');
    await ended;
  });
  await until('Redis listens', async () => {
    assert.equal(server.exitCode, null, 'Redis ended');
    const socket = connect({ port, host: '127.0.0.1' });
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    return isOpen;
  });
  return { port, ca: cert, folder };
}

test('is spoken with a CA of one’s own, refused without it, and its password is shown nowhere', async (t) => {
  const { port, ca, folder } = await startRedis(t);
  const file = join(folder, 'url');
  writeFileSync(file, `rediss://:${encodeURIComponent(password)}@127.0.0.1:${port}\n`);
  const env = { PATH: process.env.PATH, BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_DATA: folder, REDIS_URL_FILE: file };
  const doctor = async (more: NodeJS.ProcessEnv): Promise<string> => {
    const command = ['--disable-warning=ExperimentalWarning', join(root, 'src', 'cli.ts'), 'doctor', '--json'];
    const { out, err } = await run(process.execPath, command, { ...env, ...more });
    assert.doesNotMatch(`${out}${err}`, /long.{1,3}password/);
    const { findings } = JSON.parse(out) as { findings: { check: string; grade: string; found: string }[] };
    return findings
      .filter(({ check }) => check === 'redis')
      .map(({ grade, found }) => `${grade} ${found}`)
      .join('\n');
  };
  assert.match(await doctor({ NODE_EXTRA_CA_CERTS: ca }), /^ok Redis [\d.]+ does not evict/);
  assert.match(await doctor({}), /^fail .*(certificate|TLS|self.signed)/i);
  writeFileSync(file, `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}\n`);
  assert.match(await doctor({ NODE_EXTRA_CA_CERTS: ca }), /^fail /, 'plain Redis is not spoken there');
});
