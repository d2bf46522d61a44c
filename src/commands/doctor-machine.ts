/** What the doctor looks at on this machine. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { MirrorError, toMirrorError } from '../errors.ts';
import { formatBytes } from '../pages/format.ts';
import { readRedisFacts } from '../queue/redis.ts';
import { readDisk } from '../tree/free.ts';
import type { Check, Finding } from './finding.ts';
import { openRedis } from './parts.ts';

type Found = Omit<Finding, 'check'>;

const ok = (found: string): Found => ({ grade: 'ok', found, remedy: null });
const execute = promisify(execFile);
const patienceMs = 10_000;

export const checkUrl: Check = async (context) => {
  const url = new URL('/-/readyz', context.settings().config.url);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(patienceMs)]);
  try {
    const { statusCode, body } = await request(url, { signal });
    await body.dump();
    if (statusCode === 200) return [ok(`${url.href} answers: ready`)];
    if (statusCode === 401 || statusCode === 302) return [ok(`${url.href} answers, and asks for a login`)];
    const remedy =
      statusCode === 421
        ? 'KITEMIRROR_URL must be the address that readers use'
        : 'see the receiver’s /readyz at KITEMIRROR_METRICS_LISTEN';
    return [{ grade: 'fail', found: `${url.href} answers ${statusCode}`, remedy }];
  } catch (thrown) {
    context.signal.throwIfAborted();
    const remedy = 'is `kitemirror start` running, and does KITEMIRROR_URL lead to it from here?';
    return [{ grade: 'fail', found: `${url.href} does not answer: ${toMirrorError(thrown).message}`, remedy }];
  }
};

const gib = 1024 ** 3;
const fewInodes = 0.05;

export const checkDisk: Check = async (context) => {
  const { dataRoot, minFreeBytes } = context.settings().config;
  const { freeBytes, totalBytes, freeInodes, totalInodes } = await readDisk(dataRoot);
  const floor = minFreeBytes ?? Math.max(totalBytes * 0.05, 10 * gib);
  const room = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} free`;
  const bytes: Found =
    freeBytes > floor
      ? ok(`${room}; downloads wait below ${formatBytes(floor)}`)
      : {
          grade: 'fail',
          found: `${room}: downloads wait below ${formatBytes(floor)}`,
          remedy: 'make room, set KITEMIRROR_RETENTION_…, or KITEMIRROR_MIN_FREE on a small disk',
        };
  if (totalInodes === 0) return [bytes];
  const part = freeInodes / totalInodes;
  const inodes = `${Math.round(part * 100)} % of the inodes free`;
  return [
    bytes,
    part > fewInodes
      ? ok(inodes)
      : { grade: 'fail', found: inodes, remedy: 'a file system with more inodes (mkfs.ext4 -i), or XFS' },
  ];
};

export const checkRedis: Check = async (context) => {
  const redis = await openRedis(context, 'producer');
  const { policy, appendOnly, savedAt, lastWriteFailed, version } = await readRedisFacts(redis);
  const eviction: Found =
    policy === 'noeviction'
      ? ok(`Redis ${version} does not evict`)
      : {
          grade: 'fail',
          found: `Redis has maxmemory-policy ${policy} and may drop tasks`,
          remedy: 'set maxmemory-policy noeviction',
        };
  if (lastWriteFailed) {
    return [
      eviction,
      { grade: 'fail', found: 'Redis could not write its file', remedy: 'look at its disk and its log' },
    ];
  }
  if (appendOnly) return [eviction, ok('Redis keeps an append-only file')];
  const found = savedAt ? 'Redis keeps snapshots only' : 'Redis keeps nothing on disk';
  const remedy = 'appendonly yes: without it a restart of Redis costs a replay of the journal, and no build';
  return [eviction, { grade: 'warn', found, remedy }];
};

/** The front's own program looks at itself: it knows what it needs. */
export const checkLighttpd: Check = async ({ root, signal }) => {
  const words = ['--disable-warning=ExperimentalWarning', join(root, 'src', 'lighttpd.ts'), '--check'];
  try {
    const { stdout } = await execute(process.execPath, words, { signal, timeout: 6 * patienceMs });
    return [ok(stdout.trim())];
  } catch (thrown) {
    signal.throwIfAborted();
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : '';
    if (said === '') throw new MirrorError('ERR_INTERNAL', 'Lighttpd could not be looked at', {}, thrown);
    return [{ grade: 'fail', found: said.trim(), remedy: 'apt-get install -y lighttpd lighttpd-modules-lua' }];
  }
};
