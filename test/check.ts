/** `npm run check`: types, lint, format, unused code and the unit tests. Says what failed, and looks at all of them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const root = join(import.meta.dirname, '..');
const bin = join(root, 'node_modules', '.bin');

const looks: Record<string, readonly [string, ...string[]]> = {
  types: [join(bin, 'tsc'), '-p', '.'],
  scripts: [join(bin, 'tsc'), '-p', 'src/pages/assets'],
  'log scripts': [join(bin, 'tsc'), '-p', 'src/logs/browser'],
  lint: [join(bin, 'oxlint'), '--type-aware'],
  format: [join(bin, 'biome'), 'check'],
  unused: [join(bin, 'knip')],
  tests: [join(root, 'bin', 'node'), 'test/run.ts', '--unit'],
};

// Tools of npm packages begin with `env node`: the pinned one is to be found first.
const env = { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` };
let failed = 0;
for (const [name, [command, ...args]] of Object.entries(looks)) {
  const startedAt = performance.now();
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(7)} ${seconds} s\n`);
  if (code === 0) continue;
  failed += 1;
  process.stdout.write(`${out}${err}\n`);
}
process.exitCode = failed === 0 ? 0 : 1;
