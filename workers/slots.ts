/** A bound on how much goes on at once, first come first served. */
export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function createSlots(size: number): Slots {
  let free = size;
  const waiting: (() => void)[] = [];
  return {
    run: async (work) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        // The slot goes straight to who waits longest.
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}

/** Runs `work` over all items, as many at once as `width` and the slots allow; ends when all have ended. */
export async function forEachInSlots<T>(
  slots: Slots,
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const runner = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      const each = item;
      await slots.run(() => work(each));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, runner));
}
