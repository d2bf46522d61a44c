/** What Lighttpd serves below /-/assets/, for tests that serve pages themselves. */
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const folder = join(import.meta.dirname, '..', '..', 'src', 'pages', 'assets');
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export function asset(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** @returns null for another address than an asset's */
export function assetAt(path: string): { type: string; body: string } | null {
  const [, name] = /^\/-\/assets\/([a-z][a-z0-9-]*\.[a-z]+)$/.exec(path) ?? [];
  return name === undefined ? null : { type: types[extname(name)] ?? 'text/plain', body: asset(name) };
}
