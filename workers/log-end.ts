/** The last bytes of a log that still grows, in bounded memory and time, whether upstream gives parts or not. */
import type { Upstream } from '../src/buildkite/client.ts';
import type { RestAnswer } from '../src/buildkite/rest.ts';
import { MirrorError, toMirrorError } from '../src/errors.ts';
import type { BuildRef } from '../src/model.ts';

export interface LogEnd {
  /** Of the whole log. */
  readonly size: number;
  /** Where `content` begins in it: at the beginning of a line, if it has one. */
  readonly start: number;
  readonly content: string;
}

const endBytes = 64 * 1024;
/** Of a log that upstream gives only whole. */
const mostBytes = 16 * 1024 * 1024;
const empty: LogEnd = { size: 0, start: 0, content: '' };
const newline = 0x0a;

/** A job that has printed nothing has no log: an empty one. @throws MirrorError, or what ended the wait */
export async function readLogEnd(upstream: Upstream, ref: BuildRef, job: string, signal: AbortSignal): Promise<LogEnd> {
  const answer = await open(upstream, ref, job, signal);
  if (answer === null) return empty;
  if (answer.statusCode === 416) {
    await answer.body.dump();
    return empty;
  }
  try {
    const { bytes, received } = await lastOf(answer);
    const size = sizeOf(answer) ?? received;
    return cut(bytes, size, Math.max(0, size - bytes.length));
  } catch (thrown) {
    answer.body.destroy();
    if (thrown instanceof MirrorError || signal.aborted) throw thrown;
    throw new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'the log broke off', { job }, thrown);
  }
}

async function open(upstream: Upstream, ref: BuildRef, job: string, signal: AbortSignal): Promise<RestAnswer | null> {
  try {
    return await upstream.openLogEnd(ref, job, endBytes, signal);
  } catch (thrown) {
    if (!signal.aborted && toMirrorError(thrown).code === 'ERR_UPSTREAM_GONE') return null;
    throw thrown;
  }
}

async function lastOf({ headers, body }: RestAnswer): Promise<{ bytes: Buffer; received: number }> {
  // A page of some proxy's in between is no log.
  if (/html|json/.test(String(headers['content-type'] ?? '')))
    throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'Buildkite’s answer for the log is not plain text');
  let bytes = Buffer.alloc(0);
  let received = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    received += chunk.length;
    if (received > mostBytes)
      throw new MirrorError(
        'ERR_UPSTREAM_MALFORMED',
        'Buildkite gives this log only whole, and it is too large to follow',
      );
    bytes = Buffer.concat([bytes, chunk]).subarray(-endBytes);
  }
  return { bytes, received };
}

/** What a part says of the whole. */
function sizeOf({ statusCode, headers }: RestAnswer): number | null {
  if (statusCode !== 206) return null;
  const size = /^bytes \d+-\d+\/(\d{1,15})$/.exec(String(headers['content-range'] ?? ''))?.[1];
  if (size === undefined)
    throw new MirrorError('ERR_UPSTREAM_MALFORMED', 'Buildkite gives a part of the log and not which');
  return Number(size);
}

/** Half a line, or half a character, at the beginning is left out. */
function cut(bytes: Buffer, size: number, start: number): LogEnd {
  const from = start === 0 ? 0 : bytes.indexOf(newline) + 1;
  return { size, start: start + from, content: bytes.subarray(from).toString('utf8') };
}
