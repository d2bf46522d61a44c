import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage, type RequestListener, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError } from '../../src/errors.ts';
import { createHttpServer, formatListen, type Listening, listen, sendError } from '../../src/http.ts';
import { until } from './until.ts';

let folder: string;
let open: Listening[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kitemirror-http-'));
  open = [];
});

afterEach(async () => {
  for (const server of open) await server.close();
  rmSync(folder, { recursive: true });
});

const hello: RequestListener = (_request, response) => response.end('hello');

async function serve(at: Listening['address'], handler = hello): Promise<Listening> {
  const server = await listen(createHttpServer(handler), at);
  open.push(server);
  return server;
}

async function ask(target: { socketPath: string } | { port: number }): Promise<string> {
  const [answer] = (await once(get({ ...target, agent: false }), 'response')) as [IncomingMessage];
  return answer.setEncoding('utf8').reduce((text, chunk) => text + String(chunk), '');
}

const isConfigFault =
  (text: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MirrorError && error.code === 'ERR_CONFIG' && text.test(error.message);

describe('listening on a socket', () => {
  it('makes the socket’s folder for its owner alone, and the socket for owner and group', async () => {
    const path = join(folder, 'run', 'a.sock');
    await serve({ path });
    assert.equal(await ask({ socketPath: path }), 'hello');
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.equal(statSync(join(folder, 'run')).mode & 0o777, 0o700);
  });

  it('leaves an existing folder’s mode as it is', async () => {
    const run = join(folder, 'run');
    mkdirSync(run);
    chmodSync(run, 0o750);
    await serve({ path: join(run, 'a.sock') });
    assert.equal(statSync(run).mode & 0o777, 0o750);
  });

  it('replaces a socket that a killed process left', async () => {
    const path = join(folder, 'a.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.stdout.write('up'))`;
    const other = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    const ended = once(other, 'exit');
    other.kill('SIGKILL');
    await ended;
    assert.ok(existsSync(path));
    await serve({ path });
    assert.equal(await ask({ socketPath: path }), 'hello');
  });

  it('refuses a socket that another process answers on, and leaves it working', async () => {
    const path = join(folder, 'a.sock');
    await serve({ path });
    await assert.rejects(serve({ path }), isConfigFault(/another process listens on unix:.*a\.sock/));
    assert.equal(await ask({ socketPath: path }), 'hello');
  });

  it('refuses to replace what is no socket', async () => {
    const path = join(folder, 'a.sock');
    writeFileSync(path, 'kept');
    await assert.rejects(serve({ path }), isConfigFault(/is not a socket/));
    assert.ok(existsSync(path));
  });

  it('refuses a folder that belongs to another user', { skip: process.getuid?.() !== 0 && 'needs root' }, async () => {
    chownSync(folder, 12_345, 12_345);
    await assert.rejects(serve({ path: join(folder, 'a.sock') }), isConfigFault(/belongs to another user/));
  });

  it('removes the socket at its end', async () => {
    const path = join(folder, 'a.sock');
    const server = await serve({ path });
    await server.close();
    assert.equal(existsSync(path), false);
  });
});

describe('listening on a port', () => {
  it('tells which port it was given', async () => {
    const { address } = await serve({ host: '127.0.0.1', port: 0 });
    assert.ok('port' in address && address.port > 0);
    assert.equal(await ask({ port: address.port }), 'hello');
  });

  it('says so when another process listens there', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const bound = other.address();
    assert.ok(bound !== null && typeof bound === 'object');
    const at = { host: '127.0.0.1', port: bound.port };
    await assert.rejects(serve(at), isConfigFault(/cannot listen on 127\.0\.0\.1:\d+: another process listens there/));
    other.close();
  });

  it('is spelt as the settings spell it', () => {
    assert.equal(formatListen({ path: '/a/b' }), 'unix:/a/b');
    assert.equal(formatListen({ host: '127.0.0.1', port: 80 }), '127.0.0.1:80');
    assert.equal(formatListen({ host: '::1', port: 80 }), '[::1]:80');
  });
});

describe('closing', () => {
  it('ends idle connections at once and lets a running request end', async () => {
    const path = join(folder, 'a.sock');
    let finish = (): void => undefined;
    const server = await serve({ path }, (incoming, response) => {
      response.write('first ');
      if (incoming.url === '/quick') response.end();
      finish = () => response.end('last');
    });
    const idle = connect(path);
    idle.write('GET /quick HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(idle, 'data');
    const running = get({ socketPath: path, agent: new Agent({ keepAlive: true }) });
    const [answer] = (await once(running, 'response')) as [IncomingMessage];
    const text = answer.setEncoding('utf8').reduce((all, chunk) => all + String(chunk), '');
    const closed = server.close(60_000);
    await once(idle, 'close');
    finish();
    assert.equal(await text, 'first last');
    // Node alone would keep the connection for the 5 s that a kept-alive one may be idle.
    assert.equal(await Promise.race([closed.then(() => 'closed'), sleep(3000, 'late')]), 'closed');
  });

  it('cuts what does not end within its grace', async () => {
    const path = join(folder, 'a.sock');
    const server = await serve({ path }, (_request, response) => void response.write('never ends'));
    const asked = request({ socketPath: path });
    asked.on('error', () => undefined).end();
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    let isCut = false;
    answer.on('error', () => {
      isCut = true;
    });
    await server.close(20);
    await until('the answer is cut', () => isCut);
  });
});

describe('an error’s answer', () => {
  it('has the code’s status, and one JSON shape', async () => {
    const path = join(folder, 'a.sock');
    const error = new MirrorError('ERR_TREE_FULL', 'no room');
    await serve({ path }, (_request, response) => void sendError(response, error));
    const [answer] = (await once(get({ socketPath: path }), 'response')) as [IncomingMessage];
    const text = await answer.setEncoding('utf8').reduce((all, chunk) => all + String(chunk), '');
    const { id, ...rest } = JSON.parse(text) as Record<string, string>;
    assert.equal(answer.statusCode, 507);
    assert.equal(id?.length, 36);
    assert.deepEqual(rest, { error: 'ERR_TREE_FULL', message: 'no room' });
  });

  it('cuts an answer that was already under way, so that nobody takes it for whole', async () => {
    const path = join(folder, 'a.sock');
    await serve({ path }, (_request, response) => {
      response.writeHead(200, { 'Content-Length': 100 }).write('a part');
      sendError(response, new Error('late'));
    });
    const asked = get({ socketPath: path });
    await assert.rejects(once(asked, 'response').then(async ([answer]) => (answer as IncomingMessage).toArray()));
  });
});
