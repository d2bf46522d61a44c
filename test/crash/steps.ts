/** What the harness tells the program under test, and what the program tells it back. */
export const faults = [
  /** SIGKILL, as the power cord: nothing runs any more, not even a `finally`. */
  'kill',
  /** The end that a service manager asks for. */
  'term',
  /** The disk is filled to its last byte; the harness makes room again. */
  'full',
  /** This one call fails so, once. */
  'EMFILE',
  'EMLINK',
  'EIO',
  /** Redis is killed, and comes back without anything of what it had. */
  'redis-kill',
  /** Redis is there, and does not answer for a while. */
  'redis-hang',
  /** All that Redis has is gone, while it goes on. */
  'redis-flush',
  /** The program's clock is two days on from here on, or two days back. */
  'ahead',
  'back',
] as const;
export type Fault = (typeof faults)[number];

export interface Plan {
  /** The data folder: only what happens below it is a step on a disk. */
  readonly root: string;
  /** Every step's label is added to this file, a line each. */
  readonly log: string | null;
  readonly at: { readonly label: string; readonly occurrence: number; readonly when: 'before' | 'after' } | null;
  readonly fault: Fault;
  /** Where `full` puts the file that takes all the room. */
  readonly filler: string;
  /** Whom the faults of Redis are for. */
  readonly redis: { readonly pid: number; readonly socket: string } | null;
  /** How many times as fast as ours the program's clock runs; 1 unless told. */
  readonly clockSpeed?: number;
}

/** Stands in the log of steps when the planned fault has happened, in a program that goes on. */
export const metLine = 'met';

/** The environment's name of a Plan, as JSON. */
export const planName = 'CRASH_PLAN';

/** `/data/tree/acme/web/builds/7/jobs/018f…/job.json` → `tree/acme/web/builds/N/jobs/ID/job.json` */
export function classOfPath(root: string, path: string): string | null {
  if (path !== root && !path.startsWith(`${root}/`)) return null;
  return path
    .slice(root.length + 1)
    .replace(/^staging\/.*$/, 'staging/…')
    .replace(/^blobs\.v1\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}(\.\d+)?$/, 'blobs/DIGEST')
    .replace(/^blobs\.v1\/sha256\/[0-9a-f]{2}$/, 'blobs/XX')
    .replace(/\/\.[^/]+\.part$/, '/PROBE')
    .replace(/(latest|commits|pulls)\/[0-9a-f]{64}\.(\w+)(\.[0-9a-f]+\.tmp)?$/, '$1/POINTER')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\.?[0-9a-f]{16,64}(\.tmp)?(?=\/|$)/g, 'TEMPORARY')
    .replaceAll(/\/\d+(?=[./]|$)/g, '/N')
    .replace(/(artifacts|artifacts-by-id|steps)\/.+$/, '$1/…')
    .replace(/^pages\/.+\/([^/]+)$/, 'pages/…/$1');
}
