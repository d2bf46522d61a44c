/** Whoever sends the same files in the serve bench: bare Lighttpd, nginx, and our Lighttpd with its gate. One process each. */
import { type ChildProcess, spawn } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Agent, request } from 'undici';
import { parseConfig } from '../src/config.ts';
import { sessionCookie } from '../src/identity/authenticate.ts';
import type { Grant } from '../src/identity/decide.ts';
import { formatGrants, type GrantTable } from '../src/identity/grants.ts';
import { type SealKey, seal } from '../src/identity/seals.ts';
import { grantsFile } from '../src/identity/state.ts';
import { prepareLighttpd } from '../src/lighttpd.ts';
import { writeLabel } from '../src/tree/labels.ts';
import { dataPaths, type Place } from '../src/tree/paths.ts';
import { endChild, freePort, until } from './children.ts';
import { root } from './stack.ts';

export interface Side {
  /** What a reader sends. */
  readonly headers: Readonly<Record<string, string>>;
  readonly pid: number;
  urlOf(file: string): string;
  stop(): Promise<void>;
}

export interface SideOptions {
  readonly folder: string;
  /** The value of PATH. */
  readonly path: string;
  /** Name and content of each file. */
  readonly files: ReadonlyMap<string, Buffer>;
  readonly signal: AbortSignal;
  /** The files of a certificate for 127.0.0.1; null: plain HTTP. */
  readonly tls: Certificate | null;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const place: Place = { organization: 'acme', folder: 'web', number: 42 };
const job = '0190a1b2-0000-4000-8000-000000000001';

/** Nothing but the files and, where it is asked for, an access log of the same JSON. */
export async function startBare(command: string, options: SideOptions, isLogged: boolean): Promise<Side> {
  const files = writeFiles(options);
  const format = /^accesslog\.format .*$/m.exec(readFileSync(join(root, 'lighttpd.conf'), 'utf8'))?.[0];
  if (format === undefined) throw new Error('lighttpd.conf has no accesslog.format');
  const port = await freePort();
  const { tls } = options;
  const config = `
server.modules = (${tls === null ? '' : '"mod_openssl", '}"mod_accesslog")
${tls === null ? '' : `ssl.engine = "enable"\nssl.pemfile = "${tls.cert}"\nssl.privkey = "${tls.key}"`}
server.document-root = "${files}"
server.bind = "127.0.0.1"
server.port = ${port}
server.max-keep-alive-requests = 10000
server.max-connections = 1024
server.max-fds = 4096
mimetype.assign = ("" => "application/octet-stream")
${isLogged ? `accesslog.filename = "${options.folder}/access.log"\naccesslog.escaping = "json"\n${format}` : ''}
`;
  const file = join(options.folder, 'lighttpd.conf');
  writeFileSync(file, config);
  return start([command, '-D', '-f', file], {}, port, '/', options);
}

export async function startNginx(command: string, options: SideOptions): Promise<Side> {
  const files = writeFiles(options);
  const port = await freePort();
  const names = ['remote_addr', 'request_method', 'uri', 'args', 'status', 'body_bytes_sent', 'request_time'];
  const line = [...names, 'http_user_agent', 'http_referer', 'time_iso8601', 'request_id'];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `
daemon off;
master_process off;
pid ${options.folder}/pid;
error_log stderr error;
events { worker_connections 1024; }
http {
${temporary.map((name) => `  ${name}_temp_path ${options.folder}/${name};`).join('\n')}
  log_format json escape=json '{${line.map((name) => `"${name}":"$${name}"`).join(',')}}';
  access_log ${options.folder}/access.log json buffer=8k;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 10000;
  default_type application/octet-stream;
  server { listen 127.0.0.1:${port}; root ${files}; }
}
`;
  const file = join(options.folder, 'nginx.conf');
  writeFileSync(file, config);
  return start([command, '-p', options.folder, '-e', 'stderr', '-c', file], {}, port, '/', options);
}

/** As the mirror starts it, but for one process where it has some. @param identity whether readers must be signed in */
export async function startOurs(options: SideOptions, identity: boolean): Promise<Side> {
  const { folder, path, files, tls } = options;
  const [data, port] = [join(folder, 'data'), await freePort()];
  const policy = { KITEMIRROR_POLICY: join(folder, 'policy.yml') };
  const { config } = parseConfig(
    {
      BUILDKITE_ORGANIZATION: place.organization,
      KITEMIRROR_DATA: data,
      KITEMIRROR_LISTEN: `127.0.0.1:${port}`,
      KITEMIRROR_URL: `${schemeOf(options)}://127.0.0.1:${port}`,
      ...(tls === null ? {} : { KITEMIRROR_TLS_CERT: tls.cert, KITEMIRROR_TLS_KEY: tls.key }),
      ...(identity ? policy : {}),
    },
    'lighttpd',
    root,
  );
  const paths = dataPaths(data);
  for (const [name, content] of files) {
    const target = paths.jobFile(place, job, `artifacts/${name}`);
    const blob = join(paths.blobs, name);
    for (const each of [target, blob]) mkdirSync(dirname(each), { recursive: true });
    writeFileSync(blob, content);
    linkSync(blob, target);
  }
  await writeLabel(paths, place, { pipelineId: '0190a1b2-0000-4000-8000-00000000000a', branch: 'main', fork: false });
  const marker = paths.settledMarker(place, job);
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, '');
  const headers = identity ? signIn(grantsFile(paths), tls !== null) : {};
  const { command, args, env } = await prepareLighttpd(config, path);
  const prefix = `/acme/web/builds/${place.number}/jobs/${job}/artifacts/`;
  return start([command, ...args], { ...env, SITE_WORKERS: '0' }, port, prefix, options, headers);
}

/** Grants as the gateway writes them, of a small organization. @returns what somebody who is signed in sends */
function signIn(target: string, isSecure: boolean): Record<string, string> {
  const now = Math.floor(Date.now() / 1000);
  const key: SealKey = { id: 'k1', secret: Buffer.alloc(32, 7) };
  const rule = (pipeline: string): Grant => ({
    rule: { organization: place.organization, pipeline, pipelineId: null, branches: ['main', 'release/*'] },
    addresses: null,
  });
  const grants = [...Array.from({ length: 20 }, (_, index) => rule(`service-${index}-*`)), rule('web')];
  const person = { kind: 'user', name: 'ann@example.com', issuer: 'https://login.example', since: 0, grants } as const;
  const subjects: [string, typeof person][] = Array.from({ length: 200 }, (_, index) => [`person-${index}`, person]);
  const table: GrantTable = {
    time: now,
    before: 0,
    keys: [key],
    everyone: [],
    publics: [],
    subjects: new Map(subjects),
    tokens: new Map(),
    revoked: new Set(),
  };
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, formatGrants(table));
  const session = { id: 'session-0001', subject: 'person-100', issued: now - 60, expires: now + 3600 };
  return { Cookie: `${sessionCookie(isSecure)}=${seal(key, 'session', session)}` };
}

const schemeOf = ({ tls }: SideOptions): string => (tls === null ? 'http' : 'https');

function writeFiles({ folder, files }: SideOptions): string {
  const own = join(folder, 'files');
  mkdirSync(own, { recursive: true });
  for (const [name, content] of files) writeFileSync(join(own, name), content);
  return own;
}

async function start(
  [command = '', ...args]: string[],
  env: Record<string, string>,
  port: number,
  prefix: string,
  options: SideOptions,
  headers: Record<string, string> = {},
): Promise<Side> {
  const { files, signal } = options;
  const child: ChildProcess = spawn(command, args, { env, detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  const urlOf = (file: string): string => `${schemeOf(options)}://127.0.0.1:${port}${prefix}${file}`;
  // The certificate is the bench's own.
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  const stop = (): Promise<void> => endChild(child);
  const sendsAll = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
    for (const [name, content] of files) {
      const answer = await request(urlOf(name), { headers, signal, dispatcher }).catch(() => null);
      if (answer?.statusCode !== 200 || !Buffer.from(await answer.body.arrayBuffer()).equals(content)) return false;
    }
    return true;
  };
  try {
    await until(sendsAll, `${command} to send its files`, { signal, timeoutMs: 20_000, everyMs: 50 });
  } catch (thrown) {
    await stop();
    throw thrown;
  } finally {
    await dispatcher.close();
  }
  return { headers, pid: child.pid ?? 0, urlOf, stop };
}
