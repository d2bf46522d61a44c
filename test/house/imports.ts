/** The project's own source files and what each imports. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

export interface Source {
  /** Relative to the project, as `src/config.ts`. */
  readonly file: string;
  readonly text: string;
  /** Files of the project, relative to it. */
  readonly own: readonly string[];
  /** Packages (`@scope/name` or `name`) and `node:…` modules. */
  readonly packages: readonly string[];
}

/** `from '…'`, `import '…'` and `import('…')`; types too, for a floor is about who knows whom. */
const importPattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g;

export function readSources(folders: readonly string[]): Source[] {
  const files = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root })).toSorted();
  return files.map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const names = [...text.matchAll(importPattern)].map((match) => match[1] ?? '');
    const own = names.filter((name) => name.startsWith('.')).map((name) => relative('.', join(dirname(file), name)));
    const packages = names.filter((name) => !name.startsWith('.')).map(packageOf);
    return { file, text, own, packages };
  });
}

function packageOf(name: string): string {
  if (name.startsWith('node:')) return name;
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}
