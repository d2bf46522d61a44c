/**
 * Completes each package-lock.json after `npm install`: npm writes no entry for an optional package of another platform that
 * the registry at hand does not carry, and every later `npm ci` then refuses the file. What is added is the version that
 * the parent pins and the platform that its name tells; it is never installed where that platform is not.
 *   bin/node bin/complete-lock.ts [--check]      exit 1 with --check when something is missing
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockEntry {
  version?: string;
  integrity?: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  optionalDependencies?: Record<string, string>;
}
interface Lock {
  packages: Record<string, LockEntry>;
}

/** Of the project, and of what makes some reports of its tests. */
const files = ['package-lock.json', 'test/reports/tools/package-lock.json'];
const platforms = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

for (const name of files) {
  const file = join(import.meta.dirname, '..', name);
  const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock;
  const added = complete(lock);
  if (process.argv.includes('--check')) {
    if (added.length === 0) continue;
    process.stderr.write(`${name} lacks ${added.join(', ')}\n`);
    process.exitCode = 1;
  } else {
    const sorted = Object.entries(lock.packages).toSorted(([left], [right]) => (left < right ? -1 : 1));
    writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
    process.stdout.write(`${name}: ${added.length} optional packages of other platforms added\n`);
  }
}

/** @returns what was added */
function complete(lock: Lock): string[] {
  const added: string[] = [];
  for (const [from, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isThere(lock, from, name)) continue;
      const version = /^[\^~]?(\d+\.\d+\.\d+\S*)$/.exec(range)?.[1];
      if (version === undefined) throw new Error(`${from} wants ${name}@${range}: that names no version`);
      const os = platforms.filter((platform) => name.includes(platform));
      const cpu = processors.filter((processor) => new RegExp(`[-_]${processor}(?![a-z0-9])`).test(name)).slice(0, 1);
      if (os.length === 0) throw new Error(`${name} names no platform; add its entry by hand`);
      lock.packages[`node_modules/${name}`] = { version, cpu, ...(entry.dev ? { dev: true } : {}), optional: true, os };
      added.push(`${name}@${version}`);
    }
  }
  return added;
}

/** Whether some node_modules that `from` sees has the package, with a version. */
function isThere(lock: Lock, from: string, name: string): boolean {
  const folders = from.split('/node_modules/').map((_, depth, parts) => parts.slice(0, depth + 1).join('/node_modules/'));
  return ['', ...folders].some((folder) => {
    const key = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    return lock.packages[key]?.version !== undefined;
  });
}
