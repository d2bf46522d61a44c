/**
 * Bytes are reserved before they are fetched, so that downloads wait before the disk is full and not after. All processes of
 * a data folder share what there is: each takes a part that it tells the others of (src/tree/shares.ts), somewhat more than it needs where there is
 * plenty, and deals that out by itself.
 */
import { statfsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MirrorError, toMirrorError } from '../errors.ts';
import { dataPaths } from './paths.ts';
import { openShares, type Shares, type Table } from './shares.ts';

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

/** Small files are not worth a look each: so much is taken at a time while there is many times as much. */
const spareBytes = 64 * 1024 ** 2;
const plenty = 16;

/** A file system that counts its inodes keeps this part of them. */
const freeInodes = 0.01;

/** @param minFreeBytes null: the larger of 5 % of the disk and 10 GiB · @returns bytes that may be had of it now, and ever */
export function roomOn(
  root: string,
  minFreeBytes: number | null,
): { readonly bytes: number; readonly most: number; readonly hasInodes: boolean } {
  const { bavail, blocks, bsize, files, ffree } = statfsSync(root);
  const floor = minFreeBytes ?? Math.max(blocks * bsize * 0.05, 10 * gib);
  const hasInodes = files === 0 || ffree > files * freeInodes;
  return { bytes: bavail * bsize - floor, most: blocks * bsize - floor, hasInodes };
}

/** @returns null where the disk is full */
function orFull(open: () => Shares): Shares | null {
  try {
    return open();
  } catch (thrown) {
    if (toMirrorError(thrown).code !== 'ERR_TREE_FULL') throw thrown;
    return null;
  }
}

/**
 * @param minFreeBytes free space that stays free; null: the larger of 5 % of the disk and 10 GiB
 * @param onShort told, again and again, while something waits for room
 */
export function createSpace(root: string, minFreeBytes: number | null, onShort: () => void = () => undefined): Space {
  // At once, so that it is there when the disk is full; where it is full already, as soon as it is not.
  let shares = orFull(() => openShares(dataPaths(root)));
  let reserved = 0;
  // Bytes that were given back since our part was measured: they are on the disk by now, and still in our part.
  let spent = 0;
  let part = 0;
  let room = { bytes: 0, most: 0, hasInodes: true };
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;
  let lowering: NodeJS.Timeout | null = null;
  const asking = new Set<{ readonly bytes: number }>();

  async function look(): Promise<void> {
    shares ??= orFull(() => openShares(dataPaths(root)));
    // Nothing fits where no name can be made, not even what has no bytes.
    if (shares === null) room = { ...roomOn(root, minFreeBytes), hasInodes: false };
    else await shares.alone(measure);
    lookedAt = performance.now();
  }

  /** The others' parts are read first: what they give up is on the disk then. */
  function measure({ others, hold }: Table): void {
    const wanted = [...asking].reduce((sum, { bytes }) => sum + bytes, reserved);
    let theirs = others(false);
    const found = roomOn(root, minFreeBytes);
    if (theirs > 0 && wanted > found.bytes - theirs) theirs = others(true);
    room = { ...found, bytes: found.bytes - theirs };
    let next = reserved;
    for (const { bytes } of asking) if (next + bytes <= room.bytes) next += bytes;
    if (next > reserved && room.bytes - next > plenty * spareBytes) next += spareBytes;
    hold(next);
    [part, spent] = [next, 0];
  }

  const fits = (bytes: number): boolean => room.hasInodes && bytes <= Math.min(part, room.bytes) - reserved - spent;

  const lookOnce = (): Promise<void> =>
    (looking ??= look().finally(() => {
      looking = null;
    }));

  /** Takes them where they fit. One look serves all who ask meanwhile; who joins one that is at its end needs another. */
  async function take(bytes: number): Promise<boolean> {
    const ask = { bytes };
    asking.add(ask);
    try {
      let isSeen = performance.now() - lookedAt <= lookEveryMs;
      for (let looks = 0; looks < 2 && !(isSeen && fits(bytes)); looks += 1) {
        await lookOnce();
        // However long it took: who waits to be sure would never be.
        isSeen = true;
      }
      // From here on nobody comes between.
      if (!fits(bytes)) return false;
      reserved += bytes;
      return true;
    } finally {
      asking.delete(ask);
    }
  }

  /** What we need no more is the others' a little later. */
  function lowerSoon(): void {
    lowering ??= setTimeout(() => {
      lowering = null;
      // Whoever reserves next is told what is wrong with the disk.
      if (part > reserved) lookOnce().catch(() => undefined);
    }, lookEveryMs).unref();
  }

  return {
    reserve: async (bytes, signal) => {
      const until = Date.now() + patienceMs;
      while (!(await take(bytes))) {
        // Upstream's word alone must not keep all the others waiting.
        if (bytes > room.most) {
          throw new MirrorError('ERR_DOWNLOAD_REFUSED', `its ${bytes} bytes are more than the disk can hold`, {
            bytes,
          });
        }
        onShort();
        if (Date.now() > until) {
          const what = room.hasInodes ? 'too little free space (KITEMIRROR_MIN_FREE)' : 'too few free inodes';
          throw new MirrorError('ERR_TREE_FULL', `${what}; downloads wait`, { bytes });
        }
        await sleep(lookEveryMs, undefined, { signal });
      }
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        reserved -= bytes;
        spent += bytes;
        lowerSoon();
      };
    },
  };
}
