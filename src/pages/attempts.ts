/** Retried jobs beside what replaced them. */

interface Attempt {
  readonly id: string;
  readonly retried_in_job_id: string | null;
}

export interface AttemptGroup<T extends Attempt> {
  /** The one that counts. */
  readonly last: T;
  /** What it replaced, oldest first. */
  readonly earlier: readonly T[];
}

/** In the order of the jobs that count. A job whose replacement is not known counts itself; a ring ends nowhere. */
export function groupAttempts<T extends Attempt>(jobs: readonly T[]): AttemptGroup<T>[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const replaced = new Map<string, T>();
  const counting: T[] = [];
  for (const job of jobs) {
    const next = job.retried_in_job_id;
    if (next !== null && next !== job.id && byId.has(next) && !replaced.has(next)) replaced.set(next, job);
    else counting.push(job);
  }
  const seen = new Set<string>();
  const groups = counting.map((last) => groupOf(last, replaced, seen));
  const ring = jobs.filter((job) => !seen.has(job.id));
  return [...groups, ...ring.map((last) => ({ last, earlier: [] }))];
}

function groupOf<T extends Attempt>(last: T, replaced: ReadonlyMap<string, T>, seen: Set<string>): AttemptGroup<T> {
  const earlier: T[] = [];
  seen.add(last.id);
  for (let job = replaced.get(last.id); job !== undefined && !seen.has(job.id); job = replaced.get(job.id)) {
    seen.add(job.id);
    earlier.unshift(job);
  }
  return { last, earlier };
}
