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

/** @param minFreeBytes free space that stays free; null: the larger of 5 % of the disk and 10 GiB */
export function createSpace(root: string, minFreeBytes: number | null): Space {
  let reserved = 0;
  let free = { at: 0, bytes: 0, most: 0 };

  async function available(): Promise<number> {
    if (Date.now() - free.at > lookEveryMs) {
      const { bavail, blocks, bsize } = await statfs(root);
      const floor = minFreeBytes ?? Math.max(blocks * bsize * 0.05, 10 * gib);
      free = { at: Date.now(), bytes: bavail * bsize - floor, most: blocks * bsize - floor };
    }
    return free.bytes - reserved;
  }

  return {
    reserve: async (bytes, signal) => {
      const until = Date.now() + patienceMs;
      while ((await available()) < bytes) {
        // Upstream's word alone must not keep all the others waiting.
        if (bytes > free.most) {
          throw new MirrorError('ERR_DOWNLOAD_REFUSED', `its ${bytes} bytes are more than the disk can hold`, {
            bytes,
          });
        }
        if (Date.now() > until) {
          throw new MirrorError('ERR_TREE_FULL', 'too little free space (KITEMIRROR_MIN_FREE); downloads wait', {
            bytes,
          });
        }
        await sleep(lookEveryMs, undefined, { signal });
      }
      reserved += bytes;
      let held = true;
      return () => {
        if (held) reserved -= bytes;
        held = false;
      };
    },
  };
}
