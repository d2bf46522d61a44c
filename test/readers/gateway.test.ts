import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { machine } from '../machine.ts';

const entry = join(import.meta.dirname, '../../src/gateway.ts');

function start(env: Record<string, string>): ChildProcess {
  const own = { ...machine, BUILDKITE_ORGANIZATION: 'acme', ...env };
  return spawn(process.execPath, [entry, '--supervised'], { env: own, stdio: ['pipe', 'pipe', 'pipe'] });
}

async function readUntil(child: ChildProcess, wanted: string): Promise<string> {
  let said = '';
  for await (const chunk of child.stdout ?? []) {
    said += String(chunk);
    if (said.includes(wanted)) return said;
  }
  throw new Error(`ended without saying "${wanted}": ${said}`);
}

async function get(socketPath: string, path: string): Promise<{ status: number | undefined; body: string }> {
  const asked = request({ socketPath, path, agent: false }).end();
  const [answer] = await once(asked, 'response');
  let body = '';
  for await (const chunk of answer) body += String(chunk);
  return { status: answer.statusCode, body };
}

for (const end of ['signal', 'stdin'] as const) {
  test(`the gateway answers on its socket and ends in order by ${end}`, { timeout: 30_000 }, async () => {
    const data = mkdtempSync(join(tmpdir(), 'kitemirror-gateway-'));
    const child = start({ KITEMIRROR_DATA: data });
    const exited = once(child, 'exit');
    try {
      await readUntil(child, 'gateway ready');
      const socket = join(data, 'run', 'gateway.sock');
      assert.equal(statSync(socket).mode & 0o777, 0o660);
      assert.deepEqual(await get(socket, '/-/healthz'), { status: 200, body: 'ok\n' });
      assert.match((await get(socket, '/')).body, /No build has been mirrored yet/);
      if (end === 'signal') child.kill('SIGTERM');
      else child.stdin?.end();
      assert.deepEqual(await exited, [0, null]);
    } finally {
      child.kill('SIGKILL');
      rmSync(data, { recursive: true });
    }
  });
}

test('a wrong setting ends the gateway with 78 and says which', { timeout: 30_000 }, async () => {
  const child = start({ KITEMIRROR_LISTEN: 'nowhere' });
  const exited = once(child, 'exit');
  assert.match(await text(child.stderr ?? Readable.from([])), /1 fault .*KITEMIRROR_LISTEN is not host:port/s);
  assert.deepEqual(await exited, [78, null]);
});

test('the gateway leaves a data folder of a later format alone, and says so', { timeout: 30_000 }, async () => {
  const data = mkdtempSync(join(tmpdir(), 'kitemirror-gateway-'));
  mkdirSync(join(data, 'state'));
  writeFileSync(join(data, 'state', 'format'), '2\n');
  const child = start({ KITEMIRROR_DATA: data });
  const exited = once(child, 'exit');
  try {
    assert.match(await text(child.stdout ?? Readable.from([])), /has format 2/);
    assert.deepEqual(await exited, [78, null]);
  } finally {
    child.kill('SIGKILL');
    rmSync(data, { recursive: true });
  }
});
