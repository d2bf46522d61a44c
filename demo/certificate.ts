/** A certificate for the demo alone: self-made, for this machine's loopback names, for a month. */
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { promisify } from 'node:util';
import { findCommand, opensslNeed } from '../src/programs.ts';

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

const names = 'DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1';

export function certificateIn(folder: string): CertificateFiles {
  return { cert: join(folder, 'tls', 'cert.pem'), key: join(folder, 'tls', 'key.pem') };
}

/** Makes it, and has this process trust it; no other does. @param path the value of PATH */
export async function makeCertificate({ cert, key }: CertificateFiles, path: string): Promise<void> {
  await mkdir(join(cert, '..'), { recursive: true, mode: 0o700 });
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  const who = ['-subj', '/CN=Kitemirror demo', '-addext', `subjectAltName=${names}`];
  const openssl = findCommand(opensslNeed.commands, path) ?? 'openssl';
  await promisify(execFile)(openssl, ['req', '-x509', ...kind, ...who, '-keyout', key, '-out', cert]);
  setDefaultCACertificates([...getCACertificates('default'), await readFile(cert, 'utf8')]);
}
