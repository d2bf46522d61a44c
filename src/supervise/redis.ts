/**
 * The private redis-server: on a Unix socket only, append-only file in the data folder, never evicting. One that an
 * earlier run left behind is ended before ours opens the same files.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf, MirrorError } from '../errors.ts';

const socketName = 'redis.sock';
const patienceMs = 2000;
/** An append-only file of some 100 MB is written out well within it. */
const leaveWithinMs = 20_000;

export function redisSocket(runDir: string): string {
  return join(runDir, socketName);
}

/** The command line; `folder` holds the append-only files. @see https://redis.io/docs/latest/operate/oss_and_stack/management/config/ */
export function redisArguments(socket: string, folder: string): string[] {
  const settings = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '600',
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    // A task's hash stays in the compact form: about half the memory of a waiting task.
    'hash-max-listpack-value': '1024',
    daemonize: 'no',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Makes the folder, for its owner alone, and ends a server that still answers on the socket. */
export async function prepareRedis(socket: string, folder: string, say: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  if ((await ask(socket, 'PING')) === null) return;
  say('a redis-server of an earlier run is still there; ending it');
  // It answers a SHUTDOWN by closing the connection, once all is on the disk.
  await ask(socket, 'SHUTDOWN NOSAVE', leaveWithinMs);
  const until = Date.now() + leaveWithinMs;
  while ((await ask(socket, 'PING')) !== null) {
    if (Date.now() > until) {
      throw new MirrorError('ERR_QUEUE_UNAVAILABLE', `the redis-server on ${socket} does not end; stop it by hand`);
    }
    await pause(50);
  }
}

/** @returns null once its data is loaded, else what it waits for */
export async function probeRedis(socket: string): Promise<string | null> {
  const info = await ask(socket, 'INFO persistence');
  if (info === null) return `does not answer on ${socket}`;
  return /^loading:0\r?$/m.test(info) ? null : 'is still loading its data';
}

/**
 * `<pid>:M 23 Nov 2026 23:03:03.410 # text` as a JSON line. Redis marks its banners as loudly as its troubles, so the
 * words decide; what it says of the machine's settings at each start is for the curious.
 */
export function translateRedisLine(line: string): string {
  const msg = /^\d+:\S+ (?:\d.{20,24} [.*#-] |\(\d+\) )?(.*)$/.exec(line)?.[1] ?? line;
  const isTrouble =
    /error|fail|can't|cannot|unable|corrupt|out of memory|misconf/i.test(msg) && !msg.startsWith('WARNING');
  return JSON.stringify({ level: isTrouble ? 'warn' : 'debug', time: new Date().toISOString(), msg });
}

/**
 * One inline command, and all that came back until the server closed the connection or `withinMs` passed in silence.
 * @returns null where nobody listens
 */
async function ask(socket: string, command: string, withinMs = patienceMs): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const connection = connect({ path: socket });
    connection.setTimeout(withinMs, () => connection.destroy());
    connection.on('error', (error) => {
      const absent = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error) ?? '');
      if (absent) resolve(null);
      else reject(error);
    });
    connection.on('connect', () => connection.write(`${command}\r\nQUIT\r\n`));
    connection.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    connection.on('close', () => resolve(answer));
  });
}
