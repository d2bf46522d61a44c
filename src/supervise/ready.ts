/** Asks a program over HTTP whether it is ready. */
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { join } from 'node:path';
import type { Listen } from '../config/values.ts';
import type { Config } from '../config.ts';
import { formatListen } from '../http.ts';

export interface Probe {
  readonly at: Listen;
  readonly path: string;
  /** The Host header, where the program is particular about it. */
  readonly host?: string;
  /** Whether it speaks TLS: who it is, its port tells; its certificate is for another name than ours. */
  readonly isTls?: boolean;
  /** What it says of itself in `X-Kitemirror-Front`, so that no other program on its port is taken for it; null: not known yet. */
  readonly identity?: () => Promise<string | null>;
}

const patienceMs = 2000;

/** @returns null when it answered 200, else what it said or why it could not be asked */
export async function probe({ at, path, host = 'localhost', isTls = false, identity }: Probe): Promise<string | null> {
  const target = 'path' in at ? { socketPath: at.path } : { host: reachable(at.host), port: at.port };
  const wanted = await identity?.();
  return new Promise((resolve) => {
    const options = { ...target, path, headers: { host }, agent: false, timeout: patienceMs };
    const asked = isTls ? requestTls({ ...options, rejectUnauthorized: false }) : request(options);
    asked.on('response', (response) => {
      response.resume();
      const isOurs = wanted === undefined || response.headers['x-kitemirror-front'] === wanted;
      if (response.statusCode !== 200) resolve(`answers ${response.statusCode} on ${path}`);
      else resolve(isOurs ? null : `another program answers at ${formatListen(at)}`);
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer on ${path} within ${patienceMs} ms`)));
    asked.on('error', (error) => resolve(error.message));
    asked.end();
  });
}

/** The address by which this machine reaches what listens on all of its addresses. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** Holds what the Lighttpd that runs for this data folder says of itself at `/-/healthz`, and no other can. */
export function frontIdFile({ runDir }: Pick<Config, 'runDir'>): string {
  return join(runDir, 'front-id');
}
