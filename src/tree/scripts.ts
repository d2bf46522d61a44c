/**
 * Scripts of our pages: our own TypeScript modules without their types, written under pages/-/assets/<sum>/, where their
 * address changes with every byte of them. Nothing is compiled, and nothing is bundled: a browser follows the imports.
 */
import { createHash } from 'node:crypto';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { MirrorError } from '../errors.ts';
import { readIfPresent, writeDerived } from './files.ts';
import type { DataPaths } from './paths.ts';

export interface PageScript {
  /** The module's address below /-/assets/. */
  readonly entry: string;
  /** Of what it imports, so that a browser need not find them one after the other. */
  readonly imports: readonly string[];
}

const source = join(import.meta.dirname, '..');
const importsOf = /^(?:import|export) .*?from '(\.[^']+)\.ts';$/gms;

/** Writes a module and all that it imports, unless they are there. @param main below src/ */
export async function publishScript(paths: DataPaths, main: string): Promise<PageScript> {
  const modules = await readModules(join(source, main), new Map());
  const sum = createHash('sha256');
  for (const [name, text] of modules) sum.update(`${name}\0${text}\0`);
  const folder = sum.digest('hex').slice(0, 16);
  for (const [name, text] of modules) {
    const file = paths.asset(folder, name);
    if ((await readIfPresent(file)) !== text) await writeDerived(paths, file, text);
  }
  const [entry = '', ...imports] = Array.from(modules.keys(), (name) => `${folder}/${name}`);
  return { entry, imports };
}

/** By their names below src/, with .js at the end; the entry first. */
async function readModules(file: string, modules: Map<string, string>): Promise<Map<string, string>> {
  const name = relative(source, file).replace(/\.ts$/, '.js');
  if (modules.has(name)) return modules;
  const text = await readIfPresent(file);
  if (text === null) throw new MirrorError('ERR_INTERNAL', `a script's module is missing: ${name}`);
  modules.set(name, '');
  const plain = stripTypeScriptTypes(text);
  for (const [, target] of plain.matchAll(importsOf))
    await readModules(join(dirname(file), `${target ?? ''}.ts`), modules);
  return modules.set(
    name,
    plain.replaceAll(importsOf, (all) => all.replace(/\.ts';$/, ".js';")),
  );
}
