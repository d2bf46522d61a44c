/** Bytes are reserved before they are fetched, so that downloads wait before the disk is full and not after. */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError } from '../errors.ts';

export interface Space {
  /**
   * @returns the release, to be called once
   * @throws MirrorError ERR_TREE_FULL when there is no room for a while, ERR_DOWNLOAD_REFUSED when there can never be
   */
  reserve(bytes: number, signal: AbortSignal): Promise<() => void>;
}

const lookEveryMs = 1000;
const patienceMs = 10_000;
const gib = 1024 ** 3;

/** A file system that counts its inodes keeps this part of them. */
const freeInodes = 0.01;

/**
 * @param minFreeBytes free space that stays free; null: the larger of 5 % of the disk and 10 GiB
 * @param onShort told, again and again, while something waits for room
 */
export function createSpace(root: string, minFreeBytes: number | null, onShort: () => void = () => undefined): Space {
  let reserved = 0;
  let free = { at: 0, bytes: 0, most: 0 };
  // Bytes that were given back since: what has come of them, only a look can tell.
  let unseen = 0;
  let hasInodes = true;
  let looking: Promise<void> | null = null;

  async function look(): Promise<void> {
    const writtenBefore = unseen;
    const { bavail, blocks, bsize, files, ffree } = await statfs(root);
    const floor = minFreeBytes ?? Math.max(blocks * bsize * 0.05, 10 * gib);
    hasInodes = files === 0 || ffree > files * freeInodes;
    free = { at: Date.now(), bytes: bavail * bsize - floor, most: blocks * bsize - floor };
    unseen -= writtenBefore;
  }

  const left = (): number => free.bytes - reserved - unseen;
  const isToBeLookedAt = (bytes: number): boolean =>
    Date.now() - free.at > lookEveryMs || (unseen > 0 && bytes > left());

  /**
   * Takes them where they fit. One look serves all who ask meanwhile, and what was given back counts as written until the
   * next: who joins a look that began before that needs another.
   */
  async function take(bytes: number): Promise<boolean> {
    for (let looks = 0; looks < 2 && isToBeLookedAt(bytes); looks += 1) {
      looking ??= look().finally(() => {
        looking = null;
      });
      await looking;
    }
    // Nothing fits where no name can be made, not even what has no bytes. From here on nobody comes between.
    if (!hasInodes || bytes > left()) return false;
    reserved += bytes;
    return true;
  }

  return {
    reserve: async (bytes, signal) => {
      const until = Date.now() + patienceMs;
      while (!(await take(bytes))) {
        // Upstream's word alone must not keep all the others waiting.
        if (bytes > free.most) {
          throw new MirrorError('ERR_DOWNLOAD_REFUSED', `its ${bytes} bytes are more than the disk can hold`, {
            bytes,
          });
        }
        onShort();
        if (Date.now() > until) {
          const what = hasInodes ? 'too little free space (KITEMIRROR_MIN_FREE)' : 'too few free inodes';
          throw new MirrorError('ERR_TREE_FULL', `${what}; downloads wait`, { bytes });
        }
        await sleep(lookEveryMs, undefined, { signal });
      }
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        reserved -= bytes;
        unseen += bytes;
      };
    },
  };
}
