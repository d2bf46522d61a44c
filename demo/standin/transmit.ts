/** Sends an answer, with what may go wrong on the wire. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Answer } from './answer.ts';
import { type Bytes, bytesOf } from './bytes.ts';
import type { FaultKind } from './faults.ts';

/** @returns bytes of the body that were sent */
export async function transmit(response: ServerResponse, answer: Answer, fault: FaultKind | null): Promise<number> {
  if ((fault?.kind === 'reset' || fault?.kind === 'hang') && fault.afterBytes === undefined) {
    if (fault.kind === 'reset') response.socket?.resetAndDestroy();
    return 0;
  }
  const body = bodyOf(answer, fault);
  response.writeHead(answer.status, { ...answer.headers });
  if (body === null) {
    response.end();
    return 0;
  }
  if (fault?.kind === 'drip') return drip(response, body, fault.bytesPerSecond);
  const cut = fault !== null && 'afterBytes' in fault ? fault.afterBytes : undefined;
  if (fault !== null && cut !== undefined && cut < body.size) return breakOff(response, body, cut, fault);
  return sendAll(response, body);
}

function bodyOf(answer: Answer, fault: FaultKind | null): Bytes | null {
  if (answer.body === null) return null;
  if (typeof answer.body !== 'string') return answer.body;
  const whole = Buffer.from(answer.body);
  return bytesOf(fault?.kind === 'malformed' ? whole.subarray(0, Math.floor(whole.length / 2)) : whole);
}

/** JSON as its client would have it: compressed when it says so and it is worth it. */
export function compressed(request: IncomingMessage, answer: Answer): Answer {
  const { body } = answer;
  const accepted = request.headers['accept-encoding'] ?? '';
  if (typeof body !== 'string' || body.length < 1024 || !/\bgzip\b/.test(accepted)) return answer;
  const packed = gzipSync(body, { level: 1 });
  return { ...answer, headers: { ...answer.headers, 'content-encoding': 'gzip' }, body: bytesOf(packed) };
}

async function sendAll(response: ServerResponse, body: Bytes): Promise<number> {
  const inOneGo = 65_536;
  if (body.size <= inOneGo) {
    const slices = [...body.slices(0, body.size)];
    response.end(slices.length === 1 ? slices[0] : Buffer.concat(slices));
    return body.size;
  }
  const sent = await write(response, body, body.size);
  response.end();
  return sent;
}

/** Writes the first bytes and waits until the connection has taken them; ends early when the client is gone. */
async function write(response: ServerResponse, body: Bytes, end: number): Promise<number> {
  let sent = 0;
  for (const slice of body.slices(0, end)) {
    if (response.destroyed) return sent;
    sent += slice.length;
    if (!response.write(slice)) await drained(response);
  }
  return sent;
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const gone = new AbortController();
  const { signal } = gone;
  const ends = [once(response, 'drain', { signal }), once(response, 'close', { signal })];
  await Promise.race(ends).finally(() => {
    // The one that lost rejects when it is called off, which nobody waits for.
    for (const end of ends) end.catch(() => undefined);
    gone.abort();
  });
}

async function breakOff(response: ServerResponse, body: Bytes, cut: number, fault: FaultKind): Promise<number> {
  response.flushHeaders();
  const sent = await write(response, body, cut);
  if (fault.kind === 'hang') return sent;
  const { socket } = response;
  // A reset discards what the client has not read yet: let it have the bytes first.
  if (socket === null) return sent;
  for (let waits = 0; waits < 200 && socket.writableLength > 0 && !socket.destroyed; waits += 1) await sleep(5);
  await sleep(20);
  if (fault.kind === 'reset') socket.resetAndDestroy();
  else socket.destroy();
  return sent;
}

async function drip(response: ServerResponse, body: Bytes, bytesPerSecond: number): Promise<number> {
  const ticksPerSecond = 20;
  const piece = Math.max(1, Math.ceil(bytesPerSecond / ticksPerSecond));
  let sent = 0;
  while (sent < body.size && !response.destroyed) {
    const end = Math.min(sent + piece, body.size);
    for (const slice of body.slices(sent, end)) response.write(slice);
    sent = end;
    if (sent < body.size) await sleep(1000 / ticksPerSecond);
  }
  response.end();
  return sent;
}
