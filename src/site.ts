/**
 * What lighttpd.conf and the Lua files know of this site: the environment they run in, and nothing else of ours. Pure.
 * Values stand in an environment and never in a configuration's text, so none needs quoting.
 */

import { join } from 'node:path';
import { type Listen, loopbackNames } from './config/values.ts';
import type { Config } from './config.ts';
import { MirrorError } from './errors.ts';
import { sessionCookie } from './identity/authenticate.ts';
import { grantsFile } from './identity/state.ts';
import type { DataPaths } from './tree/paths.ts';

/** What is asked of the machine before Lighttpd starts. */
export interface Machine {
  /** As `lighttpd -v` tells it. */
  readonly version: readonly [number, number, number];
  readonly cores: number;
  /** The hard limit of open files for one process; Infinity where there is none. */
  readonly openFiles: number;
}

/** HTTP/2 is not let out before this release: it is the first with all the hardening that its protocol needed. */
const http2Since = [1, 4, 83] as const;
/** Addresses of files, which the gate answers without help. */
const filePattern = '^/(?!-/|organizations/)[^/]+/[^/]+/builds/[0-9]+/.*[^/]$';
/** In these two releases an error of the gate's is lost, and the other hook must say it again. @see https://redmine.lighttpd.net/issues/3313 */
const losesErrors = ['1.4.83', '1.4.84'];
const nothing = '(?!)';
/** `server.max-fds` is 16 bits wide before 1.4.83. */
const mostOpenFiles = 65_535;
/** A year, as the field has it; the content origin's hosts say it for themselves. */
const strictTransport = 'max-age=31536000';
/** For each worker; Lighttpd allows no more than a tenth of its descriptors. */
const mostConnections = 4096;

/**
 * @param home the project's own folder
 * @throws MirrorError ERR_CONFIG for a folder whose name no configuration can hold
 */
export function siteEnvironment(
  config: Config,
  paths: DataPaths,
  home: string,
  machine: Machine,
): Record<string, string> {
  const openFiles = Math.min(machine.openFiles, mostOpenFiles);
  const [receiver, gateway] = [backEnd(config.receiverListen), backEnd(config.gatewayListen)];
  const environment = {
    TZ: 'UTC',
    SITE_HOME: home,
    SITE_RUN: config.runDir,
    SITE_LOGS: paths.logs,
    SITE_TREE: paths.tree,
    SITE_PAGES: paths.pages,
    SITE_ORGANIZATION: config.organization,
    SITE_BIND: bracketed(config.listen.host),
    SITE_PORT: String(config.listen.port),
    SITE_HOSTS: hostsOf(config).join(' '),
    SITE_CONTENT_URL: config.contentUrl ?? '',
    SITE_CONTENT_HOSTS: contentHostsOf(config).join(' '),
    SITE_CONTENT_KEYS: paths.contentKeys,
    ...identityOf(config, paths),
    ...tlsOf(config),
    SITE_PROXIES: includable(proxiesFile(config)),
    ...reachOf(config, paths),
    SITE_GATE_ALONE: losesErrors.includes(machine.version.join('.')) ? nothing : filePattern,
    SITE_HTTP2: speaksHttp2(config, machine.version) ? 'enable' : 'disable',
    SITE_WORKERS: String(Math.max(2, machine.cores)),
    SITE_MAX_FDS: String(openFiles),
    SITE_MAX_CONNECTIONS: String(Math.min(mostConnections, Math.floor(openFiles / 10))),
    SITE_RECEIVER_HOST: receiver.host,
    SITE_RECEIVER_PORT: receiver.port,
    SITE_GATEWAY_HOST: gateway.host,
    SITE_GATEWAY_PORT: gateway.port,
  };
  for (const [name, value] of Object.entries(environment)) {
    if (/\p{Cc}/u.test(value)) {
      throw new MirrorError(
        'ERR_CONFIG',
        `a folder's name has a control character in it (${name}): ${JSON.stringify(value)}`,
      );
    }
  }
  return environment;
}

/** Lighttpd's configuration has no list in its environment, so this is the one part of it that is written. */
export function proxiesFile({ runDir }: Pick<Config, 'runDir'>): string {
  return join(runDir, 'proxies.conf');
}

/** Lighttpd takes the name of a file to include as a pattern. */
function includable(file: string): string {
  return file.replace(/[\\*?[\]{}]/g, String.raw`\$&`);
}

/**
 * Of the header that they add to, the last address that is none of theirs is the reader's. Nothing else that they say is
 * believed. The ranges have been parsed, so that nothing in them needs quoting.
 */
export function proxiesSnippet({ reach: { trustedProxies } }: Pick<Config, 'reach'>): string {
  if (trustedProxies.length === 0) return '# KITEMIRROR_TRUSTED_PROXIES is not set: readers are who connects.\n';
  const trusted = trustedProxies.map((range) => `"${range}" => "trust"`);
  return `server.modules += ( "mod_extforward" )
extforward.headers = ( "X-Forwarded-For" )
extforward.forwarder = ( ${trusted.join(', ')} )
`;
}

function reachOf({ reach }: Config, paths: DataPaths): Record<string, string> {
  const listed = (ranges: readonly string[] | null): string => ranges?.join(' ') ?? 'any';
  return {
    SITE_PROXY_RANGES: reach.trustedProxies.join(' '),
    SITE_WEBHOOK_RANGES: listed(reach.webhooks?.ranges ?? null),
    SITE_WEBHOOK_SENDERS: reach.webhooks?.published === true ? paths.webhookSenders : '',
    SITE_CI_RANGES: listed(reach.ci),
    SITE_API_RANGES: listed(reach.api),
    SITE_CONNECTIONS: String(reach.connections ?? 'off'),
  };
}

function tlsOf({ tls, url }: Config): Record<string, string> {
  const files = tls === null ? { SITE_TLS: 'off' } : { SITE_TLS: 'on', SITE_TLS_CERT: tls.cert, SITE_TLS_KEY: tls.key };
  return { ...files, SITE_HSTS: url.protocol === 'https:' ? strictTransport : '' };
}

function identityOf({ identity, url }: Config, paths: DataPaths): Record<string, string> {
  return {
    SITE_IDENTITY: identity === null ? 'off' : 'on',
    SITE_LOGIN: (identity?.people ?? null) === null ? 'off' : 'on',
    SITE_ORIGIN: url.origin,
    SITE_GRANTS: grantsFile(paths),
    SITE_COOKIE: sessionCookie(identity?.isSecure === true),
  };
}

/**
 * The `Host` values that are answered: the public name alone, with its own port, with the port that Lighttpd listens on.
 * Behind a loopback URL any loopback name will do.
 */
export function hostsOf({ url, listen }: Pick<Config, 'url' | 'listen'>): string[] {
  const names = loopbackNames.includes(url.hostname) ? loopbackNames : [url.hostname];
  return names.flatMap((name) => withPorts(name, url, listen.port));
}

/** What stands behind a build's label in the `Host` of its content origin; the same ports as the mirror's own. */
export function contentHostsOf({ contentUrl, listen }: Pick<Config, 'contentUrl' | 'listen'>): string[] {
  if (contentUrl === null) return [];
  const url = new URL(contentUrl.replace('*.', ''));
  return withPorts(`.${url.hostname}`, url, listen.port);
}

function withPorts(name: string, { port, protocol }: URL, listening: number): string[] {
  const own = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
  return [...new Set([name, `${name}:${own}`, `${name}:${listening}`])];
}

function speaksHttp2({ http2: wish, reach }: Config, version: Machine['version']): boolean {
  // Lighttpd keeps one reader's address for a connection, and a proxy sends many readers' requests over one at once.
  if (reach.trustedProxies.length > 0) return false;
  if (wish !== 'auto') return wish === 'on';
  for (const [index, wanted] of http2Since.entries()) {
    const found = version[index] ?? 0;
    if (found !== wanted) return found > wanted;
  }
  return true;
}

/** lighttpd.conf takes a host that begins with "/" for a Unix socket. */
function backEnd(at: Listen): { host: string; port: string } {
  return 'path' in at ? { host: at.path, port: '0' } : { host: at.host, port: String(at.port) };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
