/**
 * The server that both sides download from: nginx where there is one, else lighttpd. It sends files and nothing else,
 * and as nginx it also answers the API's download requests, so that no redirect costs a turn of a JavaScript process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signedLink } from '../demo/standin/links.ts';
import { findCommand } from '../src/programs.ts';
import { findPeer, freePort, peers, until } from './children.ts';

export interface Storage {
  readonly server: 'nginx' | 'lighttpd';
  readonly child: ChildProcess;
  /** `http://127.0.0.1:<port>`; what lies in `files` is below `/files/`. */
  readonly url: string;
  /** The API's address where this server is in front of it, else null. */
  readonly apiUrl: string | null;
}

export interface StorageOptions {
  /** For its own temporary files. */
  readonly folder: string;
  readonly files: string;
  /** The port of the API that everything but a download request goes to. */
  readonly apiPort: number;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** @throws Error where neither server is on this machine */
export async function startStorage(options: StorageOptions): Promise<Storage> {
  const nginx = findPeer(peers.nginx, options.path);
  const lighttpd = findCommand(['lighttpd'], options.path);
  if (!('found' in nginx) && lighttpd === null) throw new Error(`neither lighttpd nor nginx: ${nginx.missing}`);
  const [port, apiPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  mkdirSync(options.folder, { recursive: true });
  const config = join(options.folder, 'server.conf');
  const isNginx = 'found' in nginx;
  writeFileSync(config, isNginx ? nginxConfig(options, port, apiPort, url) : lighttpdConfig(options, port));
  const [command, args] = isNginx
    ? [nginx.found, ['-p', options.folder, '-e', 'stderr', '-c', config]]
    : [lighttpd ?? '', ['-D', '-f', config]];
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const isUp = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
    return fetch(`${url}/up`).then(
      (answer) => answer.body?.cancel().then(() => true) ?? true,
      () => false,
    );
  };
  await until(isUp, command, { signal: options.signal, timeoutMs: 10_000, everyMs: 20 });
  return {
    server: isNginx ? 'nginx' : 'lighttpd',
    child,
    url,
    apiUrl: isNginx ? `http://127.0.0.1:${apiPort}` : null,
  };
}

/** One process that does not leave the user it was started as. @see https://nginx.org/en/docs/http/ngx_http_core_module.html */
function nginxConfig({ folder, files, apiPort }: StorageOptions, port: number, frontPort: number, url: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${folder}/${name};`,
  );
  const link = signedLink(url, '/files/$artifact', 'application/octet-stream', Date.now(), 86_400);
  return `
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 100000000;
  keepalive_timeout 600;
  default_type application/octet-stream;
  upstream api { server 127.0.0.1:${apiPort}; keepalive 16; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location /files/ { alias ${files}/; }
  }
  server {
    listen 127.0.0.1:${frontPort} backlog=4096;
    location ~ ^/v2/.*/artifacts/(?<artifact>[0-9a-f-]+)/download$ {
      if ($http_authorization = "") { return 401; }
      return 302 "${link}";
    }
    location / {
      proxy_pass http://api;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
`;
}

function lighttpdConfig({ files, folder }: StorageOptions, port: number): string {
  return `
server.document-root = "${folder}"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ("mod_alias")
alias.url = ("/files/" => "${files}/")
server.max-keep-alive-requests = 65535
server.max-connections = 2048
server.max-fds = 4096
mimetype.assign = ("" => "application/octet-stream")
`;
}
