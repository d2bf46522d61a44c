/** A job's log: JSON, or its raw bytes, whole or the last so many. */
import { type Answer, json, noJob, notFound, refusal } from './answer.ts';
import { type Bytes, bytesOf } from './bytes.ts';
import { type Call, scriptOf } from './call.ts';
import { distort } from './faults.ts';
import { buildUrl } from './render.ts';
import type { ScriptJob } from './sample.ts';
import type { StoredScript } from './upstream.ts';

export function getLog(call: Call): Answer {
  return call.headers.accept?.includes('text/plain') === true ? getRawLog(call) : answerLog(call, jsonLog);
}

/** `…/log.txt`, and `…/log` for those who accept text/plain. */
export function getRawLog(call: Call): Answer {
  return answerLog(call, rawLog);
}

function answerLog(call: Call, render: (bytes: Bytes, stored: StoredScript, call: Call) => Answer): Answer {
  const stored = scriptOf(call);
  if (stored === undefined) return noJob;
  const { log } = stored.job;
  if (log === null || stored.job.startedAt === null) return notFound;
  const whole = bytesOf(log.content);
  const short = stored.logLooks < (log.shortForLooks ?? 0);
  const size = short ? (log.shortBytes ?? Math.floor(whole.size / 2)) : writtenBy(stored.job, whole.size, call.now());
  if (call.method !== 'HEAD') stored.logLooks += 1;
  return render(distort({ size, slices: whole.slices }, call.fault), stored, call);
}

/** How much of a log there is while its job runs. */
function writtenBy({ log, startedAt, finishedAt }: ScriptJob, size: number, now: number): number {
  if (log?.bytesPerSecond === undefined || startedAt === null || finishedAt !== null) return size;
  return Math.min(size, Math.floor(((now - startedAt) / 1000) * log.bytesPerSecond));
}

function jsonLog(bytes: Bytes, stored: StoredScript, call: Call): Answer {
  if (call.method === 'HEAD') return headLog(bytes);
  if (call.headers.range !== undefined) return refusal(400, 'Range requests need Accept: text/plain');
  const url = `${buildUrl(call.view.base, stored.home.build)}/jobs/${stored.job.id}/log`;
  const content = Buffer.concat([...bytes.slices(0, bytes.size)]).toString('utf8');
  return json({ url, content, size: bytes.size, header_times: [] });
}

const rawHeaders = { 'content-type': 'text/plain; charset=utf-8', 'accept-ranges': 'bytes', vary: 'Accept' };

function headLog(bytes: Bytes): Answer {
  return { status: 200, headers: { ...rawHeaders, 'content-length': String(bytes.size) }, body: null };
}

/** Only the last so many bytes can be asked for; there is no way to go on from an offset. */
function rawLog(bytes: Bytes, _stored: StoredScript, call: Call): Answer {
  if (call.method === 'HEAD') return headLog(bytes);
  const { range } = call.headers;
  if (range === undefined) return { status: 200, headers: rawHeaders, body: bytes };
  const last = Number(/^bytes=-(\d+)$/.exec(range)?.[1] ?? 0);
  if (last === 0) return refusal(400, 'Only a suffix range (bytes=-N) is supported');
  if (bytes.size === 0) {
    return { ...refusal(416, 'Range Not Satisfiable'), headers: { 'content-range': 'bytes */0' } };
  }
  const start = Math.max(0, bytes.size - last);
  return {
    status: 206,
    headers: { ...rawHeaders, 'content-range': `bytes ${start}-${bytes.size - 1}/${bytes.size}` },
    body: { size: bytes.size - start, slices: (from, to) => bytes.slices(start + from, start + to) },
  };
}
