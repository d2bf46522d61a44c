/** `kitemirror backup` while something happens to it: run once more, the copy is whole, and no file was ever taken for what it is not. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { prepareData } from '../../src/tree/data.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';
import { machine } from '../machine.ts';
import { digestTree } from '../mirror/harness.ts';
import {
  type Cell,
  differencesOf,
  environmentFor,
  isMet,
  type Reference,
  type Scenario,
  stepsIn,
  type Verdict,
} from './scenario.ts';
import type { Plan } from './steps.ts';

const cli = join(import.meta.dirname, '..', '..', 'src', 'cli.ts');

export const backup: Scenario = {
  name: 'backup',
  program: 'backup',
  faults: ['kill', 'term', 'full', 'EMFILE', 'EIO'],
  disk: '64m',
  observe,
  run,
};

interface Scene {
  readonly source: DataPaths;
  readonly copy: DataPaths;
  readonly notes: string;
}

/** Blobs with names in a tree, records, a journal, and state: what a mirror is to who copies it. */
async function withScene<T>(within: string | undefined, work: (scene: Scene) => Promise<T>): Promise<T> {
  const notes = mkdtempSync(join(tmpdir(), 'kitemirror-steps-'));
  const folder = mkdtempSync(join(within ?? tmpdir(), 'kitemirror-copy-'));
  const source = dataPaths(join(notes, 'data'));
  await prepareData(source);
  const place = { organization: 'acme', folder: 'web', number: 7 };
  const put = (file: string, text: string): void => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  for (const [at, text] of ['one', 'two', 'three'.repeat(9000)].entries()) {
    const blob = source.blob(createHash('sha256').update(text).digest('hex'));
    put(blob, text);
    const shown = source.jobFile(place, '0f000000-0000-4000-8000-000000000001', `artifacts/${at}.txt`);
    mkdirSync(dirname(shown), { recursive: true });
    linkSync(blob, shown);
  }
  put(source.jobFile(place, '0f000000-0000-4000-8000-000000000001', 'job.json'), '{"version":1}');
  put(source.buildFile(place, 'build.json'), '{"version":1}');
  put(join(source.spool, '0000000001.jsonl'), '{}\n');
  put(source.pin('0f000000-0000-4000-8000-000000000002'), '{}');
  try {
    return await work({ source, copy: dataPaths(join(folder, 'backup')), notes });
  } finally {
    for (const each of [folder, notes]) rmSync(each, { recursive: true, force: true });
  }
}

async function backUp({ source, copy }: Scene, env: Record<string, string> = {}): Promise<number | null> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', cli, 'backup', copy.root], {
    env: { ...machine, BUILDKITE_ORGANIZATION: 'acme', KITEMIRROR_DATA: source.root, ...env },
    stdio: 'ignore',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

function planOf({ copy, notes }: Scene, cell: Cell | null, within?: string): Plan {
  return {
    root: copy.root,
    log: join(notes, 'steps'),
    at: cell === null ? null : { ...cell.step, when: cell.when },
    fault: cell?.fault ?? 'kill',
    filler: join(within ?? notes, 'filler'),
    redis: null,
  };
}

/** What of a data folder belongs into its backup. */
function isCopied(file: string): boolean {
  return /^(state|spool|blobs\.v1)\//.test(file) || /\/(job|build|upstream)\.json$/.test(file);
}

async function observe(): Promise<Reference> {
  return withScene(undefined, async (scene) => {
    const code = await backUp(scene, environmentFor(planOf(scene, null)));
    if (code !== 0) throw new Error(`a backup ended with ${code} though nothing happened`);
    return { steps: stepsIn(readFileSync(join(scene.notes, 'steps'), 'utf8')), end: {}, whole: new Map() };
  });
}

async function run(cell: Cell, _reference: Reference, within?: string): Promise<Verdict> {
  return withScene(within, async (scene) => {
    const { source, copy } = scene;
    const plan = planOf(scene, cell, within);
    const code = await backUp(scene, environmentFor(plan));
    const isReached = code === null || isMet(plan);
    rmSync(plan.filler, { force: true });
    const begun = Object.entries(await digestTree(copy.blobs));
    const torn = begun.filter(([name, sum]) => /[0-9a-f]{64}$/.test(name) && !name.endsWith(sum));
    const again = await backUp(scene);
    const wanted = Object.entries(await digestTree(source.root)).filter(([file]) => isCopied(file));
    const found = Object.entries(await digestTree(copy.root)).filter(([file]) => file !== 'state/rebuild-due');
    return {
      scenario: backup.name,
      cell,
      isReached,
      faults: [
        ...torn.map(([name]) => `torn: ${name}`),
        ...(again === 0 ? [] : [`run once more it ended with ${again}`]),
        ...differencesOf(Object.fromEntries(wanted), Object.fromEntries(found)),
      ],
    };
  });
}
