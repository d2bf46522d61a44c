/**
 * Settings that let more in than they did bring back what they had kept out: builds by another look at all that finished
 * since the mirror's beginning, files by another look at the builds that lack them. So does a disk that holds more.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import type { Catalog } from '../search/catalog.ts';
import type { Entry } from '../search/catalog-rows.ts';
import { type ReconcileState, readReconcileState, writeReconcileState } from '../tree/reconcile-state.ts';
import { forgetTooLarge, noLongerTooLarge } from '../tree/too-large.ts';
import { newComparison } from './compare.ts';
import { type GapParts, recordGaps } from './record-gaps.ts';

type Digests = NonNullable<ReconcileState['settings']>;

/** The settings that decide which builds, and which files of a build, are mirrored. */
export type FileRules = Pick<
  Config,
  'pipelines' | 'branches' | 'artifacts' | 'logs' | 'maxArtifactBytes' | 'downloadHosts' | 's3Buckets'
>;

function digestSettings(rules: FileRules): Digests {
  const { pipelines, branches, artifacts, logs, maxArtifactBytes, downloadHosts, s3Buckets } = rules;
  const files = [artifacts, logs, maxArtifactBytes, downloadHosts, s3Buckets];
  return { builds: digest([pipelines, branches]), files: digest(files) };
}

function digest(values: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex').slice(0, 16);
}

const atOnce = 500;

/**
 * To be called after each complete comparison. A setting that was tightened is looked at likewise, and nothing comes of it.
 * @returns how many builds are looked at again for their files, and whether all builds will be
 */
export async function followSettings(
  parts: GapParts & { readonly catalog: Pick<Catalog, 'withheld'> },
  settings: FileRules,
): Promise<{ readonly again: number; readonly looksBack: boolean }> {
  const now = digestSettings(settings);
  const state = await readReconcileState(parts.paths);
  if (state === null) return { again: 0, looksBack: false };
  const { settings: then, first } = state;
  const again = then !== null && then.files !== now.files ? await lookAgain(parts) : 0;
  const looksBack = then !== null && then.builds !== now.builds;
  if (then?.builds !== now.builds || then.files !== now.files) {
    await writeReconcileState(parts.paths, {
      ...state,
      settings: now,
      ...(looksBack ? { comparison: newComparison(first) } : {}),
    });
  }
  return { again, looksBack };
}

/**
 * The same for files that were too large for the disk, once it could hold one of them.
 * @param most bytes that it can hold when it is empty · @returns how many builds are looked at again for their files
 */
export async function followRoom(
  parts: GapParts & { readonly catalog: Pick<Catalog, 'withheld'> },
  most: number,
): Promise<number> {
  const sizes = await noLongerTooLarge(parts.paths, most);
  if (sizes.length === 0) return 0;
  const again = await lookAgain(parts);
  // Last: what a crash broke off is looked at once more, and what is refused meanwhile is noted anew.
  forgetTooLarge(parts.paths, sizes);
  return again;
}

async function lookAgain(parts: GapParts & { readonly catalog: Pick<Catalog, 'withheld'> }): Promise<number> {
  let found = 0;
  for (let after: string | null = null; ; ) {
    const builds: Entry[] = parts.catalog.withheld({ after, limit: atOnce });
    const since = new Date().toISOString();
    await recordGaps(
      parts,
      builds.map(({ summary }) => ({
        build: { ...summary },
        learnedFrom: 'reconcile' as const,
        since,
        workClass: 'reconcile' as const,
        again: true,
      })),
    );
    found += builds.length;
    if (builds.length < atOnce) return found;
    after = builds.at(-1)?.summary.id ?? null;
  }
}
