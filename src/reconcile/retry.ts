/** "Try again now": another look at a build and at each of its jobs, whatever the records say. */
import type { Task } from '../queue/tasks.ts';
import type { Catalog } from '../search/catalog.ts';
import type { DataPaths } from '../tree/paths.ts';
import { readUnsettled } from '../tree/unsettled.ts';

export type RetryTask = Extract<Task, { readonly name: 'read-build' }>;

/** @returns null for a build that the mirror does not know */
export async function retryTask(
  paths: DataPaths,
  catalog: Pick<Catalog, 'find'> | null,
  build: string,
): Promise<RetryTask | null> {
  const gap = await readUnsettled(paths, build);
  const found = gap === null ? (catalog?.find(build)?.summary ?? null) : null;
  const where = gap ?? found;
  if (where === null) return null;
  const { organization, pipeline, number } = where;
  const learnedFrom = gap?.learnedFrom ?? found?.learned_from ?? 'reader';
  const payload = { organization, pipeline, number, build, learnedFrom, heardAt: null, finishedAt: null, job: null };
  return { name: 'read-build', payload: { ...payload, again: true } };
}
