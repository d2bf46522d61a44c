/** Where the demo's mirror keeps its files: one folder that the next demo empties, or with `--once` one that goes again. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseConfig } from '../src/config.ts';
import { takeRunFolder } from '../src/supervise/addresses.ts';

export interface DemoFolder {
  readonly path: string;
  /** What becomes of it, for a person. */
  readonly told: string;
}

/** @param root the project's own folder */
export async function demoFolder(root: string, once: boolean): Promise<DemoFolder> {
  const all = join(root, 'data');
  if (!once) return { path: join(all, 'demo'), told: './data/demo, emptied' };
  await mkdir(all, { recursive: true });
  const path = await mkdtemp(join(all, 'demo-once-'));
  return { path, told: `./${relative(root, path)}, removed when all is well` };
}

/**
 * @param env the settings that name it
 * @throws MirrorError ERR_CONFIG while another demo serves from it
 */
export async function emptyFolder(env: NodeJS.ProcessEnv, root: string): Promise<void> {
  const { config } = parseConfig(env, 'all', root);
  const lock = await takeRunFolder(config);
  await lock.close();
  await removeFolder(config.dataRoot);
}

export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
