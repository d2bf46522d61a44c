/** What belongs into the repository, and what does not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './imports.ts';

interface LockEntry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly hasInstallScript?: boolean;
}

interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

/** The project's, and that of what makes some reports of its tests. */
const locks = ['package-lock.json', 'test/reports/tools/package-lock.json'];

/** Committed files and those that are about to be; null where this is no clone, or there is no git. */
const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
});
const skip = listed.status === 0 ? false : 'not a git clone, or no git here';
const files = (listed.status === 0 ? listed.stdout : '')
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(root, file)));

for (const file of locks) {
  const text = readFileSync(join(root, file), 'utf8');
  const { packages } = JSON.parse(text) as Lock;

  test(`${file} names no registry, so that any will do`, () => {
    const named = Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined);
    assert.deepEqual(
      named.map(([name]) => name),
      [],
    );
    assert.doesNotMatch(
      text,
      /https?:\/\/(?!(github\.com|opencollective\.com|[^"]*(sponsor|fund|tidelift|patreon|paypal|ko-fi|feross|dotenvx)))[^"]*\.tgz/,
    );
  });

  test(`${file} has an entry for each package of another platform, or \`npm ci\` fails on them all`, () => {
    const missing: string[] = [];
    for (const [path, { optionalDependencies }] of Object.entries(packages)) {
      for (const name of Object.keys(optionalDependencies ?? {})) {
        const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
        if (!places.some((place) => place in packages)) missing.push(name);
      }
    }
    assert.deepEqual(
      missing,
      [],
      'run bin/node bin/complete-lock.ts; where that does not know one, add {"version", "os", "cpu", "optional": true} by hand',
    );
  });
}

test('no file names a folder of the machine that it was written on', { skip }, () => {
  const here = [join(root, '..'), homedir()].filter((folder) => folder.split('/').length > 2 || folder === homedir());
  const pattern = new RegExp(
    here.map((folder) => `${folder.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}/`).join('|'),
  );
  const faults = files.filter((file) => isText(file) && pattern.test(readFileSync(join(root, file), 'utf8')));
  assert.deepEqual(faults, []);
});

test('nothing stands at the top but what a stranger looks for there', { skip }, () => {
  const allowed = new Set([
    ...['.biome.json', '.ci', '.dockerignore', '.gitignore', '.npmrc', '.oxlintrc.json', 'knip.json'],
    ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'AGENTS.md'],
    ...['Dockerfile', 'compose.yaml', 'lighttpd.conf', 'package.json', 'package-lock.json', 'tsconfig.json'],
    ...['bench', 'bin', 'demo', 'deploy', 'docs', 'examples', 'lighttpd', 'src', 'test', 'workers'],
  ]);
  const found = new Set(files.map((file) => file.split('/')[0] ?? ''));
  assert.deepEqual(
    [...found].filter((name) => !allowed.has(name)),
    [],
  );
});

test('what is run is executable, and nothing else is', { skip }, () => {
  const executable = files.filter((file) => (statSync(join(root, file)).mode & 0o111) !== 0);
  assert.deepEqual(executable.toSorted(), [
    '.ci/run',
    'bin/install-packages',
    'bin/kitemirror',
    'bin/node',
    'examples/buildkite-plugin/hooks/pre-command',
  ]);
});

function isText(file: string): boolean {
  return !/\.(png|jpg|gif|ico|woff2?|gz|zip)$/.test(file);
}
