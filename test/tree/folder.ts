/** A data folder of a test's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { prepareData } from '../../src/tree/data.ts';
import { type DataPaths, dataPaths } from '../../src/tree/paths.ts';

export function temporaryFolder(t: Pick<TestContext, 'after'>, within = tmpdir()): string {
  const folder = mkdtempSync(join(within, 'kitemirror-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function preparedData(t: Pick<TestContext, 'after'>, within?: string): Promise<DataPaths> {
  const paths = dataPaths(join(temporaryFolder(t, within), 'data'));
  await prepareData(paths);
  return paths;
}

/** The same work again and again, never two at a time under one name: what Redis does for real. */
export function lockInMemory(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const next = (last.get(name) ?? Promise.resolve()).then(work, work);
    last.set(
      name,
      next.catch(() => undefined),
    );
    return next;
  };
}
