/**
 * One error class and one table of codes. A code says what an answer's HTTP status is, what a task does about it and
 * how loud it is logged; nobody decides by an error's message.
 */

interface ErrorPolicy {
  /** HTTP status of an answer that this error ends. */
  readonly status: number;
  /** What the task runner does: try again later, give up at once, or wait without spending an attempt. */
  readonly task: 'retry' | 'never' | 'wait';
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal';
}

const table = {
  ERR_CONFIG: { status: 500, task: 'never', level: 'fatal' },
  ERR_PROGRAM_MISSING: { status: 500, task: 'never', level: 'fatal' },
  ERR_NOT_READY: { status: 503, task: 'retry', level: 'fatal' },
  ERR_DELIVERY_UNVERIFIED: { status: 401, task: 'never', level: 'warn' },
  ERR_DELIVERY_TOO_LARGE: { status: 413, task: 'never', level: 'warn' },
  ERR_DELIVERY_MEDIA_TYPE: { status: 415, task: 'never', level: 'warn' },
  ERR_DELIVERY_MALFORMED: { status: 400, task: 'never', level: 'warn' },
  ERR_JOURNAL_UNAVAILABLE: { status: 503, task: 'retry', level: 'error' },
  ERR_QUEUE_UNAVAILABLE: { status: 503, task: 'retry', level: 'error' },
  ERR_QUEUE_UNSAFE: { status: 500, task: 'never', level: 'fatal' },
  ERR_TASK_MALFORMED: { status: 500, task: 'never', level: 'error' },
  ERR_UPSTREAM_UNAVAILABLE: { status: 502, task: 'retry', level: 'warn' },
  ERR_UPSTREAM_BEHIND: { status: 502, task: 'retry', level: 'info' },
  ERR_UPSTREAM_DENIED: { status: 502, task: 'wait', level: 'error' },
  ERR_UPSTREAM_UNSEEN: { status: 502, task: 'wait', level: 'warn' },
  ERR_UPSTREAM_GONE: { status: 404, task: 'never', level: 'info' },
  ERR_UPSTREAM_MALFORMED: { status: 502, task: 'retry', level: 'error' },
  ERR_DOWNLOAD_REFUSED: { status: 502, task: 'never', level: 'warn' },
  ERR_DOWNLOAD_EXPIRED: { status: 502, task: 'retry', level: 'info' },
  ERR_BUCKET_DENIED: { status: 502, task: 'retry', level: 'error' },
  ERR_BUCKET_GONE: { status: 404, task: 'never', level: 'info' },
  ERR_BLOB_PURGED: { status: 410, task: 'never', level: 'info' },
  ERR_BLOB_MISMATCH: { status: 502, task: 'retry', level: 'error' },
  ERR_TREE_FULL: { status: 507, task: 'wait', level: 'error' },
  ERR_TREE_CORRUPT: { status: 500, task: 'retry', level: 'error' },
  ERR_TREE_MOVED: { status: 503, task: 'retry', level: 'info' },
  ERR_TREE_UNSUITABLE: { status: 500, task: 'never', level: 'fatal' },
  ERR_REQUEST_MALFORMED: { status: 400, task: 'never', level: 'info' },
  ERR_SIGN_IN_REQUIRED: { status: 401, task: 'never', level: 'info' },
  ERR_SIGN_IN_FAILED: { status: 403, task: 'never', level: 'warn' },
  ERR_IDENTITY_UNAVAILABLE: { status: 503, task: 'retry', level: 'error' },
  ERR_NOT_FOUND: { status: 404, task: 'never', level: 'info' },
  ERR_ADDRESS_REFUSED: { status: 403, task: 'never', level: 'warn' },
  ERR_ORIGIN_REFUSED: { status: 403, task: 'never', level: 'warn' },
  ERR_RATE_LIMITED: { status: 429, task: 'never', level: 'info' },
  ERR_METHOD_NOT_ALLOWED: { status: 405, task: 'never', level: 'info' },
  ERR_MISDIRECTED: { status: 421, task: 'never', level: 'info' },
  ERR_REQUEST_TOO_LARGE: { status: 413, task: 'never', level: 'info' },
  ERR_PRECONDITION_FAILED: { status: 412, task: 'never', level: 'info' },
  ERR_RANGE_UNSATISFIABLE: { status: 416, task: 'never', level: 'info' },
  ERR_READER_BUSY: { status: 429, task: 'retry', level: 'info' },
  ERR_TREE_UNREADABLE: { status: 503, task: 'retry', level: 'error' },
  ERR_BACKEND_UNAVAILABLE: { status: 503, task: 'retry', level: 'error' },
  ERR_STOPPING: { status: 503, task: 'wait', level: 'info' },
  ERR_YIELDED: { status: 503, task: 'wait', level: 'info' },
  ERR_INTERNAL: { status: 500, task: 'retry', level: 'error' },
} as const satisfies Record<string, ErrorPolicy>;

export type ErrorCode = keyof typeof table;

/** Facts about an error, safe to log and to show: never a token, a signed URL or a body. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null | undefined>>;

export class MirrorError extends Error {
  override readonly name = 'MirrorError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

export function policyOf(code: ErrorCode): ErrorPolicy {
  return table[code];
}

/** Any thrown value as a MirrorError; what has no code is a bug and becomes ERR_INTERNAL, but for a disk that is full. */
export function toMirrorError(thrown: unknown): MirrorError {
  if (thrown instanceof MirrorError) return thrown;
  if (isDiskFull(thrown)) return new MirrorError('ERR_TREE_FULL', 'the disk is full', {}, thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new MirrorError('ERR_INTERNAL', message, {}, thrown);
}

const sqliteFull = 13;

function isDiskFull(thrown: unknown): boolean {
  const errno = errnoOf(thrown);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return true;
  return thrown instanceof Error && 'errcode' in thrown && thrown.errcode === sqliteFull;
}

/** The errno code (`ENOENT`, …) of a system error, if it is one. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
