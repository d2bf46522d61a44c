/**
 * HTTP servers on a Unix socket or a TCP port: how they bind, how long they wait for a slow client, how they end, and
 * what an error looks like on the wire. Knows no routes.
 */
import { randomUUID } from 'node:crypto';
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Listen } from './config/values.ts';
import { errnoOf, MirrorError, policyOf, toMirrorError } from './errors.ts';

export interface Listening {
  /** Where it really listens: port 0 has become a port. */
  readonly address: Listen;
  /** Takes no new connection, lets running requests end, and cuts those that have not within `graceMs`. */
  close(graceMs?: number): Promise<void>;
}

export interface SlowClientLimits {
  /** From the first byte of a request to the end of its head. */
  readonly headMs: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestMs: number;
}

/** Ample for a person's line; a sender that drips a byte a second holds a socket no longer than this. */
const patience: SlowClientLimits = { headMs: 10_000, requestMs: 30_000 };
const defaultGraceMs = 5000;

/** A server that ends slow requests (408) by itself. @param limits what is slow; default 10 s and 30 s */
export function createHttpServer(handler: RequestListener, limits: SlowClientLimits = patience): Server {
  return createServer(
    {
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.headMs),
    },
    handler,
  );
}

/**
 * Binds. A socket's folder is made (0700) if absent; a socket that nobody answers on any more is replaced; its mode is
 * 0660, so that a front server of the same group reaches it.
 * @throws MirrorError ERR_CONFIG where the address cannot be had, with the reason
 */
export async function listen(server: Server, at: Listen): Promise<Listening> {
  if ('path' in at) await prepareSocket(at.path);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(cannotListen(at, error));
    server.once('error', failed);
    server.listen('path' in at ? { path: at.path } : { host: at.host, port: at.port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
  if ('path' in at) await chmod(at.path, 0o660);
  return { address: boundTo(server, at), close: (graceMs = defaultGraceMs) => close(server, graceMs) };
}

/** As the settings spell it: `unix:/path` or `host:port`. */
export function formatListen(at: Listen): string {
  if ('path' in at) return `unix:${at.path}`;
  return at.host.includes(':') ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`;
}

/**
 * Answers with an error as the contract has it: the code's status and `{"error","message","id"}`. What has no code is a
 * bug and tells the sender nothing but the id: the front server's, which its access log has too. Does not log.
 * @returns what was answered, with the id under which to log it
 */
export function sendError(response: ServerResponse, thrown: unknown): { error: MirrorError; id: string } {
  const error = toMirrorError(thrown);
  const id = requestId(response.req);
  const message = error.code === 'ERR_INTERNAL' ? 'an error of the mirror’s own; its log has the id' : error.message;
  if (response.headersSent) response.destroy();
  else sendJson(response, policyOf(error.code).status, { error: error.code, message, id });
  return { error, id };
}

/** The id that the front server gave the request; one of our own where it is missing. */
export function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
  response.writeHead(status, headers).end(text);
}

function boundTo(server: Server, asked: Listen): Listen {
  const bound = server.address();
  return bound === null || typeof bound === 'string' || 'path' in asked
    ? asked
    : { host: asked.host, port: bound.port };
}

async function prepareSocket(path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid } = await stat(folder);
  // Whoever owns the folder can put a socket of his own in our place (the folder may be below /tmp).
  if (uid !== 0 && uid !== process.getuid?.()) {
    throw new MirrorError('ERR_CONFIG', `the folder of the socket ${path} belongs to another user (uid ${uid})`);
  }
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return;
  if (!found.isSocket()) throw new MirrorError('ERR_CONFIG', `${path} is there and is not a socket`);
  if (await isAnswered(path)) throw new MirrorError('ERR_CONFIG', `another process listens on unix:${path}`);
  await unlink(path);
}

/** Only a refusal proves that nobody listens; any other doubt leaves the socket alone. */
async function isAnswered(path: string): Promise<boolean> {
  const probe = connect({ path });
  const answered = await new Promise<boolean>((resolve) => {
    probe.once('connect', () => resolve(true)).once('error', (error) => resolve(errnoOf(error) !== 'ECONNREFUSED'));
  });
  probe.destroy();
  return answered;
}

function cannotListen(at: Listen, cause: Error): MirrorError {
  const why = errnoOf(cause) === 'EADDRINUSE' ? 'another process listens there' : cause.message;
  return new MirrorError('ERR_CONFIG', `cannot listen on ${formatListen(at)}: ${why}`, {}, cause);
}

async function close(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  // A kept-alive connection that is busy now becomes idle when its answer is out, and would hold the end up.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearInterval(idle);
  clearTimeout(cut);
}
