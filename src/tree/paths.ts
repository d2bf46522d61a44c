/**
 * Every path below the data folder is built here, and upstream's names become paths by one door.
 *
 *   tree/<org>/<pipeline>/builds/<number>/build.json upstream.json artifacts/… steps/<key>/artifacts/…
 *                                        jobs/<job-id>/job.json log.txt SHA256SUMS artifacts/… artifacts-by-id/<id>/<name>
 *   pages/<the same>/index.html          generated, trusted; never under one root with upstream's bytes
 *   pages/…/jobs/<job-id>/settled        marker: the gate may call this job's artifacts immutable
 *   pages/…/jobs/<job-id>/final          marker: and its log and sums, which may grow until the build's end
 *   pages/…/jobs/<job-id>/log/index.json  where a log's lines begin, what folds, what failed
 *   pages/…/jobs/<job-id>/log/tail.json  the end of a running job's log, for who watches it
 *   pages/-/assets/<sum>/…               scripts of our pages
 *   pages/…/builds/<number>/views.json   what the merged and step views show now
 *   pages/…/builds/<number>/label        what the access policy judges the build by
 *   pages/<org>/<pipeline>/latest/<sha256 of the name>.<state>   pointer: a build's number (also commits/, pulls/)
 *   pages/<org>/<pipeline>/latest/<sha256 of the branch>.svg   its badge: the state of its latest build
 *   pages/<org>/<old slug>.moved         pointer: the slug a renamed pipeline has now
 *   pages/catalog.sqlite                 the index of builds
 *   pages/search.sqlite                  the full-text index
 *   blobs.v1/sha256/ab/abcdef…           immutable bytes; `<digest>.2` once a blob has all the links ext4 allows
 *   state/identity/{keys,subjects,tokens,revoked}/<id>.json   who there is; state/identity/grants: what the gate reads;
 *                                        state/identity/asking: by what the provider is asked about them, sealed
 *   staging/  quarantine/  spool/  state/unsettled/<build>/{build,closing}.json, …/<job>/<when>.json  state/pipelines/<uuid>.json  state/folders/<org>/<folder>
 *   state/format  state/id               the layout's version · a uuid of this data folder's own, by which a backup knows it
 *   state/keys/content                   keys of our own making, never an operator's secret
 *   state/pins/<build>.json              nothing of retention's touches this build
 *   state/dropping/<build>.json          a removal that is under way · state/dropped/ab/<build>: it was removed whole
 *   state/damaged/<blob>.json            its bytes are not what its name says; whose they are is to be mended
 *   state/rebuild-due                    what is derived is to be made from the records before anything is swept
 *   state/due/<task>/<key>               something is behind what is on disk; that task of the queue will see to it
 *   state/sweep-held.json                builds with a record that cannot be read: nothing is swept before it can
 *   state/verify.json                    how far the reading of all blobs is
 *   state/purged/<id>.json               what an operator had purged, and is never mirrored again
 *   state/audit/<year>-<month>.jsonl     what was removed, when and why
 *   state/reconcile.json                 up to when all finished builds are known; reconcile.copy.json: the last that was whole
 *   quarantine/records/…                 records that could not be read, as they were
 *   state/backfills/<digest>.json        how far a backfill has come
 *   state/webhook.json                   what the last look at Buildkite's webhook found
 *   state/too-large/<bytes>              a file of that size was refused because the disk could never hold it
 *   run/workers/<uuid>                   what a running worker tells: the retention policy that it goes by
 *   run/space/<uuid>                     how much of the disk a running process has reserved
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** A build's place: `folder` is the pipeline's folder, which is its slug unless another pipeline has taken that. */
export interface Place {
  readonly organization: string;
  readonly folder: string;
  readonly number: number;
}

export type PointerKind = 'latest' | 'commits' | 'pulls';
export type PointerState = 'passed' | 'failed' | 'any';

export interface DataPaths {
  readonly root: string;
  readonly tree: string;
  readonly pages: string;
  readonly blobs: string;
  readonly staging: string;
  readonly quarantine: string;
  readonly spool: string;
  readonly state: string;
  readonly format: string;
  readonly dataId: string;
  readonly logs: string;
  readonly redis: string;
  readonly unsettled: string;
  readonly reconcileState: string;
  /** As it was after the last complete sweep. */
  readonly reconcileCopy: string;
  /** Records that could not be read, as they were. */
  readonly damagedRecords: string;
  readonly webhookState: string;
  /** Where webhooks come from; Lighttpd reads it too. */
  readonly webhookSenders: string;
  readonly backfills: string;
  backfill(name: string): string;
  readonly identity: string;
  readonly catalog: string;
  /** The full-text index. */
  readonly search: string;
  /** The keys of the content origin's labels; Lighttpd reads them too. */
  readonly contentKeys: string;
  blob(sha256: string, copy?: number): string;
  stagingFile(name: string): string;
  pipeline(organization: string, folder: string): string;
  build(place: Place): string;
  buildFile(place: Place, name: 'build.json' | 'upstream.json'): string;
  job(place: Place, job: string): string;
  jobFile(place: Place, job: string, file: string): string;
  merged(place: Place): string;
  step(place: Place, stepKey: string): string;
  /** What is shown below a build's folder, by its path there as a record or a view has it. */
  shown(place: Place, path: string): string;
  /** The page of a folder of the tree, by the folder's path below `tree/`. */
  page(...relative: string[]): string;
  settledMarker(place: Place, job: string): string;
  finalMarker(place: Place, job: string): string;
  logIndex(place: Place, job: string): string;
  logTail(place: Place, job: string): string;
  /** A script of our pages; `folder` changes with its bytes. */
  asset(folder: string, name: string): string;
  views(place: Place): string;
  label(place: Place): string;
  pointer(organization: string, folder: string, kind: PointerKind, name: string, state: PointerState): string;
  /** The picture of a branch's latest state. */
  badge(organization: string, folder: string, branch: string): string;
  movedPointer(organization: string, slug: string): string;
  unsettledBuild(build: string): string;
  unsettledBuildFile(build: string): string;
  /** Where that file is while it is being closed. */
  unsettledAside(build: string): string;
  unsettledJob(build: string, job: string): string;
  readonly pipelineStates: string;
  pipelineState(pipelineId: string): string;
  readonly folderOwners: string;
  readonly pins: string;
  pin(build: string): string;
  readonly dropping: string;
  dropOrder(build: string): string;
  readonly dropped: string;
  /** Says that retention has removed the whole build: it is not mirrored again. */
  droppedBuild(build: string): string;
  readonly audit: string;
  /** Tombstones: what is never mirrored again. */
  readonly purged: string;
  /** Room for the journal and Redis alone. */
  readonly reserve: string;
  readonly damaged: string;
  damagedBlob(name: string): string;
  readonly verifyCursor: string;
  /** There while what is derived is still to be made from the records, as after a restored backup. */
  readonly rebuildDue: string;
  readonly due: string;
  readonly sweepHeld: string;
  /** How all pages were made. */
  readonly pageForm: string;
  /** Sizes that the disk could never hold. */
  readonly tooLarge: string;
  /** What each worker that runs tells of itself. */
  readonly workers: string;
  /** How much of the disk each process has reserved. */
  readonly shares: string;
  /** When a task of a schedule last ran. */
  mark(task: string): string;
  /** Names the pipeline whose builds a folder of the organization holds. */
  folderOwner(organization: string, folder: string): string;
}

export function dataPaths(root: string): DataPaths {
  const at = (...parts: string[]): string => join(root, ...parts);
  const [blobs, staging] = [at('blobs.v1', 'sha256'), at('staging')];
  const builds = (place: Place): string[] => [place.organization, place.folder, 'builds', String(place.number)];
  return {
    root,
    tree: at('tree'),
    pages: at('pages'),
    blobs,
    staging,
    quarantine: at('quarantine'),
    spool: at('spool'),
    state: at('state'),
    dataId: at('state', 'id'),
    logs: at('logs'),
    redis: at('redis'),
    unsettled: at('state', 'unsettled'),
    reconcileState: at('state', 'reconcile.json'),
    reconcileCopy: at('state', 'reconcile.copy.json'),
    format: at('state', 'format'),
    damagedRecords: at('quarantine', 'records'),
    webhookState: at('state', 'webhook.json'),
    webhookSenders: at('state', 'webhook-senders'),
    backfills: at('state', 'backfills'),
    backfill: (name) => at('state', 'backfills', `${name}.json`),
    identity: at('state', 'identity'),
    catalog: at('pages', 'catalog.sqlite'),
    search: at('pages', 'search.sqlite'),
    contentKeys: at('state', 'keys', 'content'),
    // These two are made for each artifact a few times, of parts that need no look at them.
    blob: (sha256, copy = 1) => `${blobs}/${sha256.slice(0, 2)}/${copy === 1 ? sha256 : `${sha256}.${copy}`}`,
    stagingFile: (name) => `${staging}/${name}`,
    pipeline: (organization, folder) => at('tree', organization, folder),
    build: (place) => at('tree', ...builds(place)),
    buildFile: (place, name) => at('tree', ...builds(place), name),
    job: (place, job) => at('tree', ...builds(place), 'jobs', job),
    jobFile: (place, job, file) => at('tree', ...builds(place), 'jobs', job, file),
    merged: (place) => at('tree', ...builds(place), 'artifacts'),
    step: (place, stepKey) => at('tree', ...builds(place), 'steps', stepFolder(stepKey), 'artifacts'),
    shown: (place, path) => at('tree', ...builds(place), ...path.split('/')),
    page: (...relative) => at('pages', ...relative, 'index.html'),
    settledMarker: (place, job) => at('pages', ...builds(place), 'jobs', job, 'settled'),
    finalMarker: (place, job) => at('pages', ...builds(place), 'jobs', job, 'final'),
    logIndex: (place, job) => at('pages', ...builds(place), 'jobs', job, 'log', 'index.json'),
    logTail: (place, job) => at('pages', ...builds(place), 'jobs', job, 'log', 'tail.json'),
    asset: (folder, name) => at('pages', '-', 'assets', folder, name),
    views: (place) => at('pages', ...builds(place), 'views.json'),
    label: (place) => at('pages', ...builds(place), 'label'),
    pointer: (organization, folder, kind, name, state) =>
      at('pages', organization, folder, kind, `${createHash('sha256').update(name).digest('hex')}.${state}`),
    badge: (organization, folder, branch) =>
      at('pages', organization, folder, 'latest', `${createHash('sha256').update(branch).digest('hex')}.svg`),
    movedPointer: (organization, slug) => at('pages', organization, `${slug}.moved`),
    unsettledBuild: (build) => at('state', 'unsettled', build),
    unsettledBuildFile: (build) => at('state', 'unsettled', build, 'build.json'),
    unsettledAside: (build) => at('state', 'unsettled', build, 'closing.json'),
    unsettledJob: (build, job) => at('state', 'unsettled', build, job),
    folderOwner: (organization, folder) => at('state', 'folders', organization, folder),
    pins: at('state', 'pins'),
    pin: (build) => at('state', 'pins', `${build}.json`),
    dropping: at('state', 'dropping'),
    dropOrder: (build) => at('state', 'dropping', `${build}.json`),
    dropped: at('state', 'dropped'),
    droppedBuild: (build) => at('state', 'dropped', build.slice(0, 2), build),
    audit: at('state', 'audit'),
    purged: at('state', 'purged'),
    reserve: at('reserve'),
    damaged: at('state', 'damaged'),
    damagedBlob: (name) => at('state', 'damaged', `${name}.json`),
    rebuildDue: at('state', 'rebuild-due'),
    due: at('state', 'due'),
    sweepHeld: at('state', 'sweep-held.json'),
    pageForm: at('state', 'page-form.json'),
    verifyCursor: at('state', 'verify.json'),
    tooLarge: at('state', 'too-large'),
    workers: at('run', 'workers'),
    shares: at('run', 'space'),
    mark: (task) => at('state', 'marks', task),
    pipelineStates: at('state', 'pipelines'),
    folderOwners: at('state', 'folders'),
    pipelineState: (pipelineId) => at('state', 'pipelines', `${pipelineId}.json`),
  };
}

const maxComponentBytes = 255;
/** PATH_MAX is 4,096 with the root in it; what is left for the data folder's own name is ample. */
const maxPathBytes = 3000;

/** A step key is upstream's text: what cannot be a folder's name is named by its digest instead. */
export function stepFolder(stepKey: string): string {
  if (isSafeComponent(stepKey)) return stepKey;
  return `~${createHash('sha256').update(stepKey).digest('hex').slice(0, 16)}`;
}

/**
 * An artifact's path as the agent would write it on a disk: `\` → `/`; leading `..`, `/` and drive letters stripped;
 * empty and `.` components dropped.
 * @returns null where no safe path is left (control characters, bad UTF-8, `..` inside, a part too long)
 */
export function parseTreePath(untrusted: string): string | null {
  const parts = untrusted
    .replaceAll('\\', '/')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  while (parts[0] !== undefined && (parts[0] === '..' || /^[A-Za-z]:$/.test(parts[0]))) parts.shift();
  if (parts[0] !== undefined) parts[0] = parts[0].replace(/^[A-Za-z]:(?=.)/, '');
  if (parts.length === 0 || !parts.every(isSafeComponent)) return null;
  const path = parts.join('/');
  return Buffer.byteLength(path) > maxPathBytes ? null : path;
}

/** What the settings' globs are tried on: where no safe path is left, the parts that are not dots. Never empty. */
export function settingsPath(untrusted: string): string {
  const parts = untrusted.split(/[/\\]/).filter((part) => !['', '.', '..'].includes(part));
  return parseTreePath(untrusted) ?? (parts.join('/') || 'artifact');
}

function isSafeComponent(part: string): boolean {
  return (
    part !== '' &&
    part !== '.' &&
    part !== '..' &&
    part.isWellFormed() &&
    !part.includes('/') &&
    // C0, DEL and C1: no file name that a terminal, a log or a web server would trip over.
    !/[\u0000-\u001f\u007f-\u009f]/.test(part) &&
    Buffer.byteLength(part) <= maxComponentBytes
  );
}

export interface NamedArtifact {
  readonly id: string;
  readonly path: string;
  /** Of its path only the last part is known: it stays where it is. */
  readonly isById?: boolean;
}

/**
 * Where each artifact of one job is stored, below the job's folder: `artifacts/<path>`, or `artifacts-by-id/<id>/<name>`
 * for what has no safe path or would be a file where another has a folder. Depends on the set alone, not on its order.
 */
export function assignFiles(artifacts: readonly NamedArtifact[]): Map<string, string> {
  const folders = new Set<string>();
  const safe = new Map<string, string>();
  for (const { id, path, isById = false } of artifacts) {
    const parsed = isById ? null : parseTreePath(path);
    if (parsed === null) continue;
    safe.set(id, parsed);
    for (let cut = parsed.lastIndexOf('/'); cut > 0; cut = parsed.lastIndexOf('/', cut - 1)) {
      const folder = parsed.slice(0, cut);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  }
  const files = new Map<string, string>();
  for (const { id, path } of artifacts) {
    const parsed = safe.get(id);
    const file = parsed === undefined || folders.has(parsed) ? byId(id, path) : `artifacts/${parsed}`;
    files.set(id, file);
  }
  return files;
}

/** Every place that an artifact may have below its job's folder, whatever the others of the job are. */
export function possibleFiles({ id, path }: NamedArtifact): string[] {
  const parsed = parseTreePath(path);
  return parsed === null ? [byId(id, path)] : [`artifacts/${parsed}`, byId(id, path)];
}

function byId(id: string, path: string): string {
  const folder = isSafeComponent(id) ? id : createHash('sha256').update(id).digest('hex');
  return `artifacts-by-id/${folder}/${safeName(path)}`;
}

/** The last part of a path made harmless; never empty. */
function safeName(path: string): string {
  const last = path
    .replaceAll('\\', '/')
    .split('/')
    .findLast((part) => part !== '' && part !== '.' && part !== '..');
  const clean = (last ?? '').toWellFormed().replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '_');
  let name = clean;
  while (Buffer.byteLength(name) > maxComponentBytes) name = Array.from(name).slice(0, -1).join('');
  return name === '' ? 'artifact' : name;
}

/**
 * Where a record's file lies below its job's folder.
 * @param url `jobs/<id>/<file>`, encoded
 * @returns null where it has none, or none that is below that folder
 */
export function fileOf({ url }: { readonly url: string | null }): string | null {
  if (url === null) return null;
  try {
    const parts = url.split('/').slice(2).map(decodeURIComponent);
    return parts.length > 0 && parts.every(isSafeComponent) ? parts.join('/') : null;
  } catch {
    return null;
  }
}

/** A path below a build's folder as a relative URL. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
