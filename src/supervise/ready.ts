/** Asks a program over HTTP whether it is ready. */
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Listen } from '../config/values.ts';

export interface Probe {
  readonly at: Listen;
  readonly path: string;
  /** The Host header, where the program is particular about it. */
  readonly host?: string;
  /** Whether it speaks TLS: who it is, its port tells; its certificate is for another name than ours. */
  readonly isTls?: boolean;
}

const patienceMs = 2000;

/** @returns null when it answered 200, else what it said or why it could not be asked */
export async function probe({ at, path, host = 'localhost', isTls = false }: Probe): Promise<string | null> {
  const target = 'path' in at ? { socketPath: at.path } : { host: reachable(at.host), port: at.port };
  return new Promise((resolve) => {
    const options = { ...target, path, headers: { host }, agent: false, timeout: patienceMs };
    const asked = isTls ? requestTls({ ...options, rejectUnauthorized: false }) : request(options);
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? null : `answers ${response.statusCode} on ${path}`);
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
