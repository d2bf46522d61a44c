/** What a download's reason says of a storage host that does not answer, or no longer. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Agent } from 'undici';
import { download } from '../../src/storage/download.ts';
import type { Sink } from '../../src/storage/sink.ts';

function sinkOf(): Sink {
  let received = 0;
  return {
    get received() {
      return received;
    },
    write: (chunk) => {
      received += chunk.length;
      return true;
    },
    drained: async () => undefined,
    restart: () => {
      received = 0;
    },
  };
}

async function portOf(t: TestContext, answer: (socket: Socket) => void): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function reasonOf(t: TestContext, port: number): Promise<string> {
  const dispatcher = new Agent();
  t.after(() => dispatcher.destroy());
  const options = { dispatcher, hosts: ['127.0.0.1'], size: 10, signal: t.signal, idleMs: 20_000 };
  const url = new URL(`http://127.0.0.1:${port}/object?X-Amz-Signature=secret`);
  const error: unknown = await download(url, sinkOf(), options).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Error);
  return error.message;
}

describe('a storage host', () => {
  it('that cannot be reached is named with what the system says, and without the signature', async (t) => {
    const port = await portOf(t, (socket) => socket.destroy());
    assert.match(await reasonOf(t, port), new RegExp(`^the storage host 127\\.0\\.0\\.1:${port} does not answer`));
    assert.equal(await reasonOf(t, 1), 'the storage host 127.0.0.1:1 does not answer (ECONNREFUSED)');
  });

  it('that leaves amid the bytes broke the transfer off', async (t) => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
    const port = await portOf(t, (socket) => socket.once('data', () => socket.end(`${head}12345`)));
    assert.equal(await reasonOf(t, port), 'the storage host broke the transfer off');
  });
});
