/** Listings that cannot change any more are written beside the worker's pages, so that the next reader gets a file. */
import { dirname } from 'node:path';
import { type Log, logError } from '../log.ts';
import { readIfPresent, removeFolder, tagOf, writeDerived } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';

export interface PageCache {
  /**
   * Keeps a page. Failing to is logged and harms nobody.
   * @returns the tag that Lighttpd gives the kept page, so that who asks again has the same one; null where none is kept
   * @param parts the folder's path below tree/
   * @param isCurrent asked once the page is there: a publish may have overtaken us, and then the page goes again
   */
  keep(parts: readonly string[], page: string, isCurrent: () => Promise<boolean>): Promise<string | null>;
}

export function pageCache(paths: DataPaths, log: Log): PageCache {
  return {
    keep: async (parts, page, isCurrent) => {
      // A folder of that name would have to be where its parent's page is.
      if (parts.includes('index.html')) return null;
      const file = paths.page(...parts);
      try {
        if ((await readIfPresent(file)) !== page) await writeDerived(paths, file, page);
        const tag = tagOf(file);
        if (await isCurrent()) return tag;
        await removeFolder(dirname(file));
      } catch (thrown) {
        logError(log, thrown, 'a listing was not kept');
      }
      return null;
    },
  };
}
