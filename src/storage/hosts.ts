/**
 * Which hosts a download may lead to. A job chooses its artifact's URL, so this list is also what keeps it from making
 * the mirror read an internal address.
 */
import { MirrorError } from '../errors.ts';

/** Where Buildkite itself stores artifacts; on the shared S3 host only its own bucket. */
const ownHosts: readonly { readonly host: string; readonly path: string }[] = [
  { host: 'buildkiteartifacts.com', path: '/' },
  { host: '*.buildkiteartifacts.com', path: '/' },
  { host: 's3.amazonaws.com', path: '/buildkiteartifacts.com/' },
  { host: 'buildkiteartifacts.com.s3.amazonaws.com', path: '/' },
];

/**
 * @param hosts `host` (any port), `host:port`, `*.domain`; null: Buildkite's own, over https only
 * @throws MirrorError ERR_DOWNLOAD_REFUSED naming the host, never the URL (it is signed)
 */
export function checkDownloadHost(url: URL, hosts: readonly string[] | null): void {
  const allowed =
    hosts === null
      ? url.protocol === 'https:' &&
        ownHosts.some((own) => matchesHost(url, own.host) && isBelow(url.pathname, own.path))
      : /^https?:$/.test(url.protocol) && hosts.some((host) => matchesHost(url, host));
  if (allowed && url.username === '' && url.password === '') return;
  if (allowed)
    throw new MirrorError('ERR_DOWNLOAD_REFUSED', `its download leads to ${url.host} with a login in its address`, {
      host: url.host,
    });
  throw new MirrorError(
    'ERR_DOWNLOAD_REFUSED',
    `its download leads to ${url.host || url.protocol}, which KITEMIRROR_DOWNLOAD_HOSTS does not allow`,
    { host: url.host },
  );
}

/** A prefix binds only where nothing can climb out of it, however a gateway in between reads what is encoded. */
function isBelow(pathname: string, prefix: string): boolean {
  if (prefix === '/') return true;
  const plain = pathname.replaceAll(/%2f|%5c|\\/gi, '/').replaceAll(/%2e/gi, '.');
  return pathname.startsWith(prefix) && !plain.split('/').includes('..');
}

function matchesHost(url: URL, entry: string): boolean {
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (port !== undefined && port !== (url.port || (url.protocol === 'https:' ? '443' : '80'))) return false;
  const host = url.hostname.toLowerCase();
  return name.startsWith('*.') ? host.endsWith(name.slice(1)) && host.length > name.length - 1 : host === name;
}
