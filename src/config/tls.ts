/** The certificate that Lighttpd shows. Whether the files hold one, Lighttpd itself tells (`lighttpd -tt`). */
import type { EnvReader } from './env-reader.ts';

export interface TlsSettings {
  /** PEM: the certificate, and what leads from it to a root. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
}

/** @param url KITEMIRROR_URL; null where that is at fault itself @param toPath makes a path absolute */
export function readTls(read: EnvReader, url: URL | null, toPath: (text: string) => string): TlsSettings | null {
  const cert = read.optional('KITEMIRROR_TLS_CERT', toPath);
  const key = read.optional('KITEMIRROR_TLS_KEY', toPath);
  if (cert === null && key === null) return null;
  read.together('KITEMIRROR_TLS_CERT', 'KITEMIRROR_TLS_KEY');
  if (url !== null && url.protocol !== 'https:')
    read.refuse(`KITEMIRROR_URL is ${url.origin}, and with KITEMIRROR_TLS_CERT the mirror speaks https alone`);
  return cert === null || key === null ? null : { cert, key };
}
