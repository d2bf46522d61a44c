/** Script jobs of the samples: their times, their artifacts with ids and media types, and their logs. */
import { type Content, sizeOf } from '../standin/bytes.ts';
import { uuidFrom } from '../standin/ids.ts';
import type { ArtifactState, SampleArtifact, ScriptJob } from '../standin/sample.ts';
import { type Frame, jobId } from './frame.ts';
import type { LogWriter } from './log-writer.ts';
import { beginLog, endLog } from './logs.ts';

export interface FileDraft {
  readonly path: string;
  readonly content: Content;
  readonly state?: ArtifactState;
}

export interface ScriptDraft {
  readonly name: string;
  readonly key: string | null;
  readonly command: string;
  /** Seconds after the build's creation. */
  readonly start: number;
  readonly seconds: number;
  readonly files?: readonly FileDraft[];
  /** Adds what the command prints. */
  readonly print?: (log: LogWriter) => LogWriter;
  readonly exitStatus?: number;
  readonly more?: Partial<
    Pick<
      ScriptJob,
      | 'groupKey'
      | 'parallel'
      | 'matrix'
      | 'retriedInJobId'
      | 'retriesCount'
      | 'retrySource'
      | 'retryType'
      | 'softFailed'
    >
  >;
  /** Where several jobs have one key: what tells them apart. */
  readonly variant?: string;
}

function scriptId(frame: Frame, key: string | null, variant = ''): string {
  return jobId(frame, `${key ?? 'upload'} ${variant}`);
}

export function script(frame: Frame, draft: ScriptDraft): ScriptJob {
  const { name, key, command, exitStatus = 0, files = [], variant } = draft;
  const startedAt = frame.createdAt + draft.start * 1000;
  const agent = `builder-${((draft.start + (variant ?? '').length) % 4) + 1}`;
  const { pipeline, branch, commit } = frame;
  const log = beginLog({ startedAt, pipeline: pipeline.slug, branch, commit, agent, command });
  const finishedAt = startedAt + draft.seconds * 1000;
  return {
    type: 'script',
    id: scriptId(frame, key, variant),
    name,
    stepKey: key,
    groupKey: null,
    state: exitStatus === 0 ? 'passed' : 'failed',
    command,
    exitStatus,
    softFailed: false,
    createdAt: frame.createdAt + 40,
    startedAt,
    finishedAt,
    retriedInJobId: null,
    retriesCount: null,
    retrySource: null,
    retryType: null,
    parallel: null,
    matrix: null,
    agent,
    log: { content: endLog(draft.print?.(log) ?? log, files.length, exitStatus) },
    artifacts: files.map((file, index) => artifactOf(frame, draft, file, finishedAt - 2000 + index)),
    ...draft.more,
  };
}

/** A job that never began, because one before it failed or the build was called off. */
export function notStarted(frame: Frame, draft: ScriptDraft, state: 'broken' | 'canceled'): ScriptJob {
  const ran = script(frame, { ...draft, files: [] });
  return { ...ran, state, startedAt: null, finishedAt: null, exitStatus: null, agent: null, log: null };
}

function artifactOf(frame: Frame, draft: ScriptDraft, file: FileDraft, time: number): SampleArtifact {
  const seed = `artifact ${frame.seed} ${draft.key ?? ''} ${draft.variant ?? ''} ${file.path}`;
  const { path, content, state = 'finished' } = file;
  return { id: uuidFrom(seed, time), path, mimeType: mimeTypeOf(path), state, content };
}

/** By the name's ending alone, as the agent does. */
const mimeTypes: Readonly<Record<string, string>> = {
  css: 'text/css',
  csv: 'text/csv',
  html: 'text/html',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain',
  webm: 'video/webm',
  xml: 'application/xml',
};

function mimeTypeOf(path: string): string {
  return mimeTypes[/\.([a-z0-9]+)$/.exec(path)?.[1] ?? ''] ?? 'binary/octet-stream';
}

export function textFile(path: string, text: string): FileDraft {
  return { path, content: Buffer.from(text) };
}

export function jsonFile(path: string, value: unknown): FileDraft {
  return textFile(path, `${JSON.stringify(value, null, 2)}\n`);
}

export function bundleOf(files: readonly FileDraft[]): { path: string; size: number }[] {
  return files.map(({ path, content }) => ({ path, size: sizeOf(content) }));
}
