/** What the build's page tells of a job beyond its line in build.json: made from the job's record, small, bounded. */
import type { ArtifactRecord, FileState, JobRecord, LogRecord } from '../model.ts';
import { artifactsPrefix } from '../tree/views.ts';

export interface Gap {
  /** null: the log. */
  readonly path: string | null;
  readonly state: FileState;
  readonly reason: string | null;
}

export interface DecisiveLine {
  /** Its number in the log, from 1. */
  readonly line: number;
  readonly text: string;
}

export interface JobDetails {
  readonly artifacts: number;
  readonly log: { readonly state: FileState; readonly size: number } | null;
  readonly softFailed: boolean;
  /** "2 of 4", "node 22, os linux": what tells parallel jobs of one step apart. */
  readonly variant: string | null;
  /** How many files are in each state. */
  readonly states: Readonly<Partial<Record<FileState, number>>>;
  /** The first of those that are not present. */
  readonly gaps: readonly Gap[];
  /** Present files that the merged view leaves to another job, though no later attempt replaced this one. */
  readonly outranked: number;
  /** The paths of the first of those. */
  readonly outrankedPaths: readonly string[];
  /** What jobs of one matrix or parallel step share, to be shown; null: none runs beside it. */
  readonly step: string | null;
  readonly group: string | null;
  /** What its log says of why it failed; the last is the line to look at first. */
  readonly failing: readonly DecisiveLine[];
  /** Present files whose path no folder can have; they are stored by their ids. */
  readonly unnamed: number;
}

const gapsKept = 25;
const pathsKept = 500;

/** @param failing lines of its log that say why it failed */
export function describeJob(record: JobRecord, failing: readonly DecisiveLine[] = []): JobDetails {
  const states: Partial<Record<FileState, number>> = {};
  const gaps: Gap[] = [];
  let [outranked, unnamed] = [0, 0];
  const outrankedPaths: string[] = [];
  const note = (path: string | null, file: ArtifactRecord | LogRecord): void => {
    states[file.state] = (states[file.state] ?? 0) + 1;
    if (file.state !== 'present' && gaps.length < gapsKept) gaps.push({ path, state: file.state, reason: file.reason });
  };
  if (record.log !== null) note(null, record.log);
  for (const artifact of record.artifacts) {
    note(artifact.path, artifact);
    if (artifact.state !== 'present' || artifact.merged || record.retried) continue;
    if (artifact.url?.startsWith(artifactsPrefix(record.id))) {
      outranked += 1;
      if (outrankedPaths.length < pathsKept) outrankedPaths.push(artifact.path);
    } else unnamed += 1;
  }
  const log = record.log === null ? null : { state: record.log.state, size: record.log.size };
  const artifacts = record.artifacts.length;
  const softFailed = record.soft_failed;
  const [variant, step, group] = [variantOf(record), stepOf(record), record.group_key];
  return {
    artifacts,
    log,
    softFailed,
    variant,
    step,
    group,
    states,
    gaps,
    outranked,
    outrankedPaths,
    failing,
    unnamed,
  };
}

/** A step needs no key: then it is known by the name that its jobs have, less what the matrix puts into each. */
function stepOf(record: JobRecord): string | null {
  if (variantOf(record) === null) return null;
  if (record.step_key !== null || record.name === null) return record.step_key;
  const values = Object.values(record.matrix ?? {}).filter((value) => value !== '');
  return values.reduce((name, value) => name.replaceAll(value, '…'), record.name);
}

export function variantOf(record: JobRecord): string | null {
  const parts = Object.entries(record.matrix ?? {}).map(([key, value]) => `${key} ${value}`);
  if (record.parallel_group_index !== null && record.parallel_group_total !== null) {
    parts.push(`${record.parallel_group_index + 1} of ${record.parallel_group_total}`);
  }
  return parts.length === 0 ? null : parts.join(', ');
}
