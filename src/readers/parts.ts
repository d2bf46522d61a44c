/** What the readers' routers are given. */
import type { BuildPageParts } from '../build-page.ts';
import type { Log } from '../log.ts';
import type { PartReader } from '../logs/part-reader.ts';
import type { Searcher } from '../logs/searcher.ts';
import type { BuildSummary } from '../model.ts';
import type { MarkupRenderer } from '../pages/markup-renderer.ts';
import type { TaskQueue } from '../queue/queue.ts';
import type { ReportReader } from '../reports/report-reader.ts';
import type { Search } from '../search/search.ts';
import type { PageCache } from './page-cache.ts';
import type { ReadersCatalog } from './scoped-catalog.ts';
import type { Watch } from './watching.ts';

export interface ReaderParts extends BuildPageParts {
  /** Cut to the reader of the moment; null while there is none yet. */
  readonly catalog: () => ReadersCatalog | null;
  /** Whether anybody may read a build, from anywhere and without signing in: what may be shown elsewhere. */
  readonly isOpen: (build: BuildSummary, folder: string) => boolean;
  readonly search: Search;
  readonly pages: PageCache;
  readonly searcher: Searcher;
  readonly logParts: PartReader;
  readonly reports: ReportReader;
  readonly markup: MarkupRenderer;
  /** What readers may ask the workers for. */
  readonly queue: Pick<TaskQueue, 'enqueue'>;
  readonly watch: Watch;
  readonly organization: string;
  /** Whether there is a content origin. */
  readonly opensReports: boolean;
  readonly log: Log;
}
