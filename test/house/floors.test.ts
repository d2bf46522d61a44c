/** Holds the floors of the house: imports point down, never sideways or up, and each thing has its one place. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readSources, type Source } from './imports.ts';

const sources = readSources(['src', 'workers', 'demo', 'bench']);
const product = sources.filter(({ file }) => !/^(demo|bench)\//.test(file));

interface Room {
  readonly name: string;
  readonly floor: number;
}

const entries = new Set([
  'src/cli.ts',
  'src/gateway.ts',
  'src/lighttpd.ts',
  'src/receiver.ts',
  'src/start.ts',
  'workers/main.ts',
]);
const ground = new Set(['src/errors.ts', 'src/model.ts']);
/** Small things that know nothing of builds; one room together. */
const first = new Set(
  [
    'addresses',
    'config',
    'durations',
    'emoji',
    'emoji-codes',
    'escape',
    'globs',
    'http',
    'letters',
    'line-writer',
    'log',
    'programs',
    'stop',
    'threads',
  ].map((name) => `src/${name}.ts`),
);
const above: Record<string, number> = {
  'src/tree': 2,
  'src/buildkite': 2,
  'src/storage': 2,
  'src/reports': 2,
  'src/queue': 3,
  'src/pages': 3,
  'src/logs': 3,
  'src/search': 3,
  // What is missing: asks upstream, looks into the catalog, fills the queue.
  'src/reconcile': 3.5,
  // What the worker writes and the gateway composes alike: pages, logs and tree together.
  'src/build-page.ts': 3.5,
  'src/identity': 3,
  'src/webhooks': 4,
  'src/readers': 4,
  'src/commands': 4,
  'src/supervise': 4,
  'src/site.ts': 4,
  workers: 4,
  demo: 5,
  // Benches measure the whole against the demo's stand-in.
  bench: 6,
};

function roomOf(file: string): Room | null {
  if (entries.has(file)) return { name: file, floor: 5 };
  if (ground.has(file)) return { name: 'ground', floor: 0 };
  if (first.has(file) || /^src\/(config|metrics|pens)\//.test(file)) return { name: 'first', floor: 1 };
  const name = Object.keys(above).find((folder) => file === folder || file.startsWith(`${folder}/`));
  return name === undefined ? null : { name, floor: above[name] ?? 0 };
}

test('every source file has its room', () => {
  const homeless = sources.filter(({ file }) => roomOf(file) === null).map(({ file }) => file);
  assert.deepEqual(homeless, []);
});

test('imports point down, never up, and never sideways into another room', () => {
  const faults: string[] = [];
  for (const { file, own } of sources) {
    for (const target of own) {
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === null || to === null) faults.push(`${file} → ${target}: no room`);
      else if (from.name !== to.name && to.floor >= from.floor) {
        faults.push(`${file} (floor ${from.floor}) → ${target} (floor ${to.floor})`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test('no file imports itself by way of others', () => {
  const graph = new Map(sources.map(({ file, own }) => [file, own]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const { file } of sources) visit(file, []);
  assert.deepEqual(cycles, []);
});

describe('what has one place stays there:', () => {
  const using = (isUsed: (source: Source) => boolean): string[] => product.filter(isUsed).map(({ file }) => file);
  const outside = (files: readonly string[], allowed: RegExp): string[] => files.filter((file) => !allowed.test(file));

  test('only config reads the environment', () => {
    const reads = sources.filter(({ text }) => /\bprocess\s*\.\s*env\b/.test(text)).map(({ file }) => file);
    assert.deepEqual(outside(reads, /^src\/config\.ts$/), []);
  });

  test('express is known to the routers and the entries alone', () => {
    const knows = using(({ packages }) => packages.includes('express'));
    assert.deepEqual(outside(knows, /^src\/(webhooks|readers)\/|^src\/(receiver|gateway)\.ts$/), []);
  });

  test('BullMQ and ioredis are known to the queue alone', () => {
    const knows = using(({ packages }) => packages.includes('bullmq') || packages.includes('ioredis'));
    assert.deepEqual(outside(knows, /^src\/queue\//), []);
  });

  test("the AWS SDK is known to the buckets' client alone, and loaded when it is needed", () => {
    const knows = using(({ packages }) => packages.some((name) => name.startsWith('@aws-sdk/')));
    assert.deepEqual(knows, ['src/storage/bucket-client.ts']);
    const eager = using(({ text }) => /^import (?!type\b)[^;]*'@aws-sdk\//m.test(text));
    assert.deepEqual(eager, []);
  });

  test('files are touched by the tree, and by those few that have a reason of their own', () => {
    const reasons: Record<string, string> = {
      'src/cli.ts': "reads the version of the project's package.json",
      'src/config.ts': 'reads .env',
      'src/config/retention.ts': 'reads the file of retention rules',
      'src/config/secret.ts': 'reads the files of secrets',
      'src/http.ts': 'replaces the socket it listens on',
      'src/line-writer.ts': 'writes to stdout',
      'src/lighttpd.ts': 'makes the folders that Lighttpd expects to find',
      'src/programs.ts': 'looks for programs on PATH',
      'src/supervise/redis.ts': "makes the private Redis' folder",
      'src/supervise/reload.ts': "reads the certificate, and makes the canary's folder",
    };
    const touches = using(({ packages }) => packages.some((name) => /^node:fs(\/promises)?$/.test(name)));
    assert.deepEqual(
      outside(touches, /^src\/tree\//).filter((file) => !(file in reasons)),
      [],
    );
  });

  test('signals are handled by the entries, stop and the supervisor', () => {
    const handles = using(({ text }) => /process\.(on|once)\('SIG/.test(text) || /process\.on\(name/.test(text));
    assert.deepEqual(outside(handles, /^src\/(cli|stop|lighttpd)\.ts$|^src\/supervise\/signals\.ts$/), []);
  });

  test('no SQL, HTML or wire format is needed to import the model', () => {
    const below = sources.filter(({ file }) => ground.has(file)).flatMap(({ packages }) => packages);
    assert.deepEqual(
      [...new Set(below)].filter((name) => name !== 'zod'),
      [],
    );
  });
});
