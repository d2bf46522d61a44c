/** The catalog as a reader has it: opened when there is one, and again from time to time, as it may be made anew. */
import { type Catalog, openCatalog } from '../search/catalog.ts';

export interface CatalogSource {
  /** null while no build was ever noted. */
  current(): Catalog | null;
  close(): void;
}

const cannotOpen = 14; // SQLITE_CANTOPEN
const maxAgeMs = 5000;

export function catalogSource(file: string, now: () => number = Date.now): CatalogSource {
  let open: Catalog | null = null;
  let openedAt = Number.NEGATIVE_INFINITY;
  return {
    current: () => {
      if (open !== null && now() - openedAt < maxAgeMs) return open;
      open?.close();
      open = openIfThere(file);
      openedAt = now();
      return open;
    },
    close: () => {
      open?.close();
      open = null;
    },
  };
}

function openIfThere(file: string): Catalog | null {
  try {
    return openCatalog(file, { readOnly: true });
  } catch (thrown) {
    if (thrown instanceof Error && 'errcode' in thrown && thrown.errcode === cannotOpen) return null;
    throw thrown;
  }
}
