/** Certificates made by openssl, and which one a server shows. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';

/** `<name>.pem` and `<name>.key` in this folder, for a subject of that name. */
export function makeCertificate(folder: string, name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '30'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...subject], { stdio: 'ignore' });
}

/** @returns the name of the certificate's subject */
export async function shown(
  port: number,
  options: ConnectionOptions = {},
): Promise<{ name: string; protocol: string | null }> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const subject = socket.getPeerX509Certificate()?.subject ?? '';
  const protocol = socket.getProtocol();
  socket.destroy();
  return { name: subject.replace('CN=', ''), protocol };
}
