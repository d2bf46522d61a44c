/** What pages ask of the catalog: builds, branches and pipelines, each at a price that does not grow with the builds. */
import type { SQLInputValue } from 'node:sqlite';
import type { BuildSummary } from '../model.ts';
import type { Rows } from './catalog-rows.ts';

export interface PipelineSummary {
  readonly pipeline: string;
  readonly folder: string;
  readonly name: string | null;
  readonly builds: number;
  readonly latest: BuildSummary | null;
}

export interface BuildFilter {
  readonly organization: string;
  readonly folder?: string;
  readonly branch?: string;
  readonly state?: string;
  /** Only builds with a smaller number. */
  readonly before?: number;
  /** Only builds with a greater number. */
  readonly after?: number;
  /** No build of a fork, which is never its branch's. */
  readonly isOwn?: true;
  readonly limit: number;
}

export interface Lists {
  builds(filter: BuildFilter): BuildSummary[];
  /** The latest build of each branch, newest first. */
  branches(organization: string, folder: string, limit: number): BuildSummary[];
  /** Those that begin with a text, the last built first. */
  branchNames(organization: string, folder: string, beginning: string, limit: number): string[];
  /** How many builds of a branch there are, without those of forks. */
  ownBuilds(organization: string, folder: string, branch: string): number;
  /** @param branch only of this one, and of no fork */
  neighbours(
    organization: string,
    folder: string,
    number: number,
    branch?: string,
  ): { previous: number | null; next: number | null };
  pipelines(organization: string): PipelineSummary[];
}

export function listsOf({ all, summaries }: Rows): Lists {
  return {
    builds: ({ organization, folder, branch, state, before, after, isOwn, limit }) => {
      const conditions: [string, SQLInputValue | undefined][] = [
        ['folder = ?', folder],
        ['branch = ?', branch],
        ['state = ?', state],
        ['number < ?', before],
        ['number > ?', after],
      ];
      const used = conditions.filter((condition): condition is [string, SQLInputValue] => condition[1] !== undefined);
      const where = ['organization = ?', ...used.map(([sql]) => sql), ...(isOwn ? ['fork = 0'] : [])].join(' AND ');
      const values = [organization, ...used.map(([, value]) => value), limit];
      return summaries(`SELECT summary FROM builds WHERE ${where} ORDER BY number DESC LIMIT ?`, values);
    },
    branches: (organization, folder, limit) =>
      // CROSS: from the heads to their builds. SQLite by itself goes through all builds of the folder and sorts them.
      summaries(
        `SELECT builds.summary AS summary FROM heads CROSS JOIN builds USING (organization, folder, branch, number)
         WHERE heads.organization = ? AND heads.folder = ? AND builds.fork = 0 ORDER BY heads.number DESC LIMIT ?`,
        [organization, folder, limit],
      ),
    branchNames: (organization, folder, beginning, limit) =>
      all(
        `SELECT branch FROM heads WHERE organization = ? AND folder = ? AND branch >= ? AND branch < ?
         ORDER BY number DESC LIMIT ?`,
        // The last of all characters, by which none begins.
        [organization, folder, beginning, `${beginning}\u{10ffff}`, limit],
      ).map((row) => String(row['branch'])),
    ownBuilds: (organization, folder, branch) => {
      const [row] = all(
        'SELECT count(*) AS count FROM builds WHERE organization = ? AND folder = ? AND branch = ? AND fork = 0',
        [organization, folder, branch],
      );
      return Number(row?.['count'] ?? 0);
    },
    neighbours: (organization, folder, number, branch) => {
      const [ofBranch, named] = branch === undefined ? ['', []] : [' AND branch = ? AND fork = 0', [branch]];
      const pick = (aggregate: string, compare: string): number | null => {
        const [row] = all(
          `SELECT ${aggregate}(number) AS number FROM builds WHERE organization = ? AND folder = ? AND number ${compare} ?${ofBranch}`,
          [organization, folder, number, ...named],
        );
        return row === undefined || row['number'] === null ? null : Number(row['number']);
      };
      return { previous: pick('max', '<'), next: pick('min', '>') };
    },
    pipelines: (organization) =>
      all('SELECT folder, builds FROM folders WHERE organization = ? AND builds > 0 ORDER BY folder', [
        organization,
      ]).map(({ folder, builds }) => {
        const [latest] = summaries(
          'SELECT summary FROM builds WHERE organization = ? AND folder = ? ORDER BY number DESC LIMIT 1',
          [organization, String(folder)],
        );
        const name = latest?.pipeline_name ?? null;
        const pipeline = latest?.pipeline ?? String(folder);
        return { pipeline, folder: String(folder), name, builds: Number(builds), latest: latest ?? null };
      }),
  };
}
