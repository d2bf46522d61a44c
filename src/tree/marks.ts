/**
 * How far a task of a schedule is, and when it last ran: on disk, so that neither a restart nor several workers make it run
 * too often, and a command can wait for it.
 */
import { toMirrorError } from '../errors.ts';
import { readIfPresent, writeDerived, writtenAt } from './files.ts';
import type { DataPaths } from './paths.ts';

/** state/marks/<task> */
export interface Mark {
  readonly began_at: string;
  readonly ended_at: string | null;
  readonly done: number;
  /** null: not known (yet). */
  readonly total: number | null;
  readonly result: unknown;
  readonly error: string | null;
}

export type OnProgress = (done: number, total: number) => void;

const tellEveryMs = 500;

/** Runs the task's work; its mark tells how far it is and how it ended. */
export async function running<T>(paths: DataPaths, task: string, work: (at: OnProgress) => Promise<T>): Promise<T> {
  let mark: Mark = {
    began_at: new Date().toISOString(),
    ended_at: null,
    done: 0,
    total: null,
    result: null,
    error: null,
  };
  let writing = Promise.resolve();
  // How far it is, is only told: a disk that is full for a moment is no reason to break off. How it ended is kept.
  const tell = (): void => {
    writing = writing.then(() => write(paths, task, mark)).catch(() => undefined);
  };
  let toldAt = performance.now();
  const at: OnProgress = (done, total) => {
    mark = { ...mark, done, total };
    if (performance.now() - toldAt < tellEveryMs) return;
    toldAt = performance.now();
    tell();
  };
  const end = async (outcome: Partial<Mark>): Promise<void> => {
    await writing;
    await write(paths, task, { ...mark, ...outcome, ended_at: new Date().toISOString() });
  };
  tell();
  let result: T;
  try {
    result = await work(at);
  } catch (thrown) {
    // What broke the work may keep its mark from being written too; it is what must be told.
    await end({ error: toMirrorError(thrown).message }).catch(() => undefined);
    throw thrown;
  }
  await end({ result, done: mark.total ?? mark.done });
  return result;
}

async function write(paths: DataPaths, task: string, mark: Mark): Promise<void> {
  await writeDerived(paths, paths.mark(task), `${JSON.stringify(mark)}\n`);
}

/** @returns null where it never ran */
export async function readMark(paths: DataPaths, task: string): Promise<Mark | null> {
  const text = await readIfPresent(paths.mark(task));
  return text === null ? null : (JSON.parse(text) as Mark);
}

/** Whether the task has not run within so many ms. */
export function isDue(paths: DataPaths, task: string, everyMs: number): boolean {
  const last = writtenAt(paths.mark(task));
  // A clock that was set back must not keep it from running for long.
  return last === null || Math.abs(Date.now() - last) >= everyMs;
}
