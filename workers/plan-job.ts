/**
 * What is to become of each artifact of a job: pure, from what upstream lists and what the record has. The same facts
 * give the same plan, in whatever order they were learned.
 */
import { type ArtifactFacts, type ArtifactRecord, type FileState, isUnsettled, type JobFacts } from '../src/model.ts';
import { assignFiles, encodePath, parseTreePath, settingsPath } from '../src/tree/paths.ts';
import type { Settings } from './context.ts';

export interface PlannedArtifact {
  readonly facts: ArtifactFacts;
  /** Where it is stored below the job's folder. */
  readonly file: string;
  /** `pending` is to be fetched where upstream has it `finished`. */
  readonly record: ArtifactRecord;
}

export interface PlanInput {
  readonly job: JobFacts;
  readonly listed: readonly ArtifactFacts[];
  readonly known: readonly ArtifactRecord[];
  /** Uploads that have not ended yet are not waited for any longer. */
  readonly uploadsGivenUp: boolean;
  /** Whether bytes are stored that nothing shows: a sweep may have taken them, a backup may have brought them back. */
  readonly isStored: (sha256: string) => boolean;
}

/** Why something is pending: the one waits for us, the other for upstream. */
export const notFetched = 'not fetched yet';
export const notUploaded = 'its upload has not ended';

type Verdict = { readonly state: FileState; readonly reason: string | null };

const uploadStates = new Set(['new', 'uploading']);
/** Of these the bytes may be stored all the same. */
const hidden: ReadonlySet<FileState> = new Set(['superseded', 'failed', 'lost']);
const kept: ReadonlySet<FileState> = new Set(['present', 'dropped', 'purged']);
/** Not in the tree and not going to be: such an artifact must not take a place that another could have. */
const placeless: ReadonlySet<FileState> = new Set([
  'errored',
  'excluded',
  'superseded',
  'lost',
  'refused',
  'dropped',
  'purged',
]);

export function planJob(input: PlanInput, settings: Settings): PlannedArtifact[] {
  const known = new Map(input.known.map((artifact) => [artifact.id, artifact]));
  const listed = new Map(input.listed.map((artifact) => [artifact.id, artifact]));
  // What upstream no longer lists stays ours; what we never had of it is lost.
  const gone = input.known
    .filter((artifact) => !listed.has(artifact.id))
    .map((artifact) => goneFacts(input.job, artifact));
  const all = [...input.listed, ...gone].toSorted(
    (a, b) => (a.path < b.path ? -1 : Number(a.path > b.path)) || (a.id < b.id ? -1 : 1),
  );

  const verdicts = new Map<string, Verdict>(
    all.map((facts) => {
      const before = known.get(facts.id);
      const decided = listed.has(facts.id) ? null : keptWhenGone(before);
      return [facts.id, decided ?? judge(facts, before, input, settings)];
    }),
  );
  for (const id of superseded(all, verdicts)) {
    verdicts.set(id, { state: 'superseded', reason: 'uploaded again under the same path in this job' });
  }
  const stateOf = (id: string): FileState => verdicts.get(id)?.state ?? 'pending';
  const files = assignFiles(
    all
      .filter(({ id }) => !placeless.has(stateOf(id)))
      .map(({ id, path }) => ({ id, path, isById: isSalvagedById(known.get(id)) })),
  );
  return all.map((facts) => {
    const { state, reason } = verdicts.get(facts.id) ?? { state: 'pending', reason: null };
    const file = files.get(facts.id) ?? '';
    const before = known.get(facts.id);
    // What is stored is described as it is stored, whatever upstream says now.
    const { size, sha1 } = before !== undefined && kept.has(state) ? before : facts;
    const record: ArtifactRecord = {
      id: facts.id,
      path: facts.path,
      url: file === '' ? null : encodePath(`jobs/${input.job.id}/${file}`),
      size,
      sha1,
      // Ours alone: it is there once the bytes are, or have been. What upstream states is checked and not recorded.
      sha256: before?.sha256 ?? null,
      crc32: before?.crc32 ?? null,
      mime_type: facts.mime_type,
      state,
      upstream_state: facts.state,
      reason,
      merged: !input.job.retried && file.startsWith('artifacts/') && (before?.merged ?? true),
      ...(before?.salvaged === true && !listed.has(facts.id) ? { salvaged: true } : {}),
    };
    return { facts, file, record };
  });
}

function isSalvagedById(known: ArtifactRecord | undefined): boolean {
  return known?.salvaged === true && known.url?.split('/')[2] === 'artifacts-by-id';
}

function goneFacts(job: JobFacts, known: ArtifactRecord): ArtifactFacts {
  const { id, path, mime_type, size, sha1, sha256 } = known;
  return { id, job_id: job.id, path, state: 'deleted', mime_type, size, sha1, sha256 };
}

/** What upstream no longer lists and we never waited for keeps its reason: it has not been lost since. */
function keptWhenGone(known: ArtifactRecord | undefined): Verdict | null {
  if (known === undefined || isUnsettled(known.state)) return null;
  // Where its bytes are stored, the later upload may turn out not to be: then it is shown again.
  if (known.state === 'superseded' && known.sha256 !== null) return null;
  return { state: known.state, reason: known.reason };
}

function judge(
  facts: ArtifactFacts,
  known: ArtifactRecord | undefined,
  { uploadsGivenUp, isStored }: PlanInput,
  settings: Settings,
): Verdict {
  if (known !== undefined && kept.has(known.state)) return { state: known.state, reason: known.reason };
  if (facts.purged === true)
    return { state: 'purged', reason: 'its name holds a value that was removed by an operator' };
  if (known !== undefined && hidden.has(known.state) && known.sha256 !== null && isStored(known.sha256))
    return { state: 'present', reason: null };
  if (!settings.includesArtifact(settingsPath(facts.path)))
    return { state: 'excluded', reason: 'KITEMIRROR_ARTIFACTS leaves it out' };
  if (settings.maxArtifactBytes !== null && facts.size > settings.maxArtifactBytes) {
    return { state: 'excluded', reason: `larger than KITEMIRROR_MAX_ARTIFACT_BYTES (${settings.maxArtifactBytes})` };
  }
  if (facts.state === 'error') return { state: 'errored', reason: 'its upload failed' };
  if (known?.sha256 && known.state !== 'superseded' && (facts.state === 'expired' || facts.state === 'deleted'))
    return { state: 'lost', reason: `its stored bytes were damaged, and it is ${facts.state} upstream` };
  if (facts.state === 'expired') return { state: 'lost', reason: 'expired upstream before it was mirrored' };
  if (facts.state === 'deleted') return { state: 'lost', reason: 'deleted upstream before it was mirrored' };
  if (uploadStates.has(facts.state)) {
    return uploadsGivenUp
      ? { state: 'errored', reason: 'its upload never ended' }
      : { state: 'pending', reason: notUploaded };
  }
  if (facts.sha1 === null && facts.sha256 === null) {
    return { state: 'refused', reason: 'upstream states no digest to check it by' };
  }
  return { state: 'pending', reason: known?.state === 'failed' ? known.reason : notFetched };
}

/**
 * Of several uploads under one path the last is the file: Buildkite's storage keys know no artifact id, so the earlier
 * bytes are overwritten. Ids are in order of time (UUIDv7).
 */
function superseded(all: readonly ArtifactFacts[], verdicts: ReadonlyMap<string, Verdict>): string[] {
  const groups = Map.groupBy(
    all.filter(({ id, state }) => {
      const verdict = verdicts.get(id)?.state;
      return (verdict === 'present' || verdict === 'pending') && !uploadStates.has(state);
    }),
    ({ path }) => parseTreePath(path) ?? path,
  );
  return [...groups.values()].flatMap((group) => {
    const ids = group.map(({ id }) => id).toSorted();
    return ids.slice(0, -1);
  });
}
