/** `kitemirror verify`: reads what is stored again, sets aside what is not what its name says, and has it fetched again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRate } from '../config/values.ts';
import { MirrorError } from '../errors.ts';
import type { FileState } from '../model.ts';
import { formatBytes, formatCount } from '../pages/format.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { quarantineBlob } from '../tree/quarantine.ts';
import { readJobRecord } from '../tree/records.ts';
import { measureBlobs } from '../tree/sweep.ts';
import { type Damage, type Verified, verifyBlobs } from '../tree/verify.ts';
import { newCursor, readCursor, type VerifyCursor, writeCursor } from '../tree/verify-cursor.ts';
import { awaitTask } from './await-task.ts';
import { type Command, type CommandContext, exit, type Io, sayJson, type Values } from './command.ts';
import { openMirror } from './parts.ts';
import { startProgress } from './progress.ts';
import { isSound, nothingWrong, tellTree, verifyTree } from './verify-tree.ts';

const noteEveryMs = 1000;
/** What is fetched again is waited for no longer than this: upstream may be slow, and its budget spent. */
const fetchedWithinMs = 60_000;

export const verify: Command = {
  name: 'verify',
  summary: 'reads what is stored again and compares its digests',
  usage: '[--all | --sample PERCENT] [--rate BYTES] [--json]',
  help: `Reads every blob and compares its SHA-256 with its name, then every record, and whether the names in the tree agree with them. What is wrong is hidden from readers at once, set aside in quarantine/,
and fetched again by a worker; where that is not possible the record says why. A record that cannot be read is made again, a name that
is missing or shows other bytes is put right; a file that no record names stays, and is told of. Without options it goes on where the last reading
ended, also the one that workers do at KITEMIRROR_VERIFY_RATE. Ctrl-C is fine: the next call goes on.
--all: from the first blob on · --sample PERCENT: so many of a hundred blobs, chosen at random; records and names are not looked at
--rate BYTES: so many bytes a second at most, such as 50MiB
--json: {"blobs":0,"bytes":0,"seconds":0,"damaged":[{"blob":"…","found":"…"}],"files":[{"pipeline":"…","number":1,"job":"…","path":"…",
  "state":"present","reason":null}],"records":["/acme/web/builds/1/…"],"names":["…"],"strays":["…"],"unreadable":["…"],"open":0}
  files: what showed damaged bytes, and its state now · records: those that could not be read · names: those that were wrong
  strays: files that no record names; move them away · unreadable: records that nothing tells how to make again; restore them from a backup
  open: builds whose records are still being made again
exit 0: nothing is wrong · 1: something was; what became of it is printed · 64: an argument that cannot be right`,
  options: { all: { type: 'boolean', default: false }, sample: { type: 'string' }, rate: { type: 'string' } },
  changes: () => true,
  run: async (context: CommandContext) => {
    const { values, io } = context;
    const began = performance.now();
    const damaged: Damage[] = [];
    const { blobs, bytes } = await readAll(context, readOptions(values), damaged);
    const files = damaged.length === 0 ? [] : await mend(context);
    const tree = values['sample'] === undefined ? await verifyTree(context) : nothingWrong;
    const seconds = Math.round(performance.now() - began) / 1000;
    if (values['json'] === true)
      sayJson(io, {
        blobs,
        bytes,
        seconds,
        damaged: damaged.map(({ name, found }) => ({ blob: name, found })),
        files,
        ...tree,
      });
    else {
      tell(io, { blobs, bytes, seconds }, damaged, files);
      tellTree(io, tree);
    }
    return damaged.length === 0 && isSound(tree) ? exit.ok : exit.fault;
  },
};

interface Options {
  readonly all: boolean;
  /** null: each blob. */
  readonly sample: number | null;
  readonly rate: number | null;
}

function readOptions(values: Values): Options {
  const { all, sample, rate } = values;
  const percent = typeof sample === 'string' ? Number(sample.replace(/%$/, '')) : null;
  if (percent !== null && !(percent > 0 && percent <= 100)) {
    throw new MirrorError('ERR_REQUEST_MALFORMED', `--sample ${String(sample)} is no part of a hundred (0.1 to 100)`);
  }
  if (percent !== null && all === true)
    throw new MirrorError('ERR_REQUEST_MALFORMED', '--all and --sample exclude each other');
  return { all: all === true, sample: percent === null ? null : percent / 100, rate: rateOf(rate) };
}

function rateOf(rate: Values[string]): number | null {
  if (typeof rate !== 'string') return null;
  try {
    return parseRate(rate);
  } catch (thrown) {
    throw new MirrorError(
      'ERR_REQUEST_MALFORMED',
      `--rate ${thrown instanceof Error ? thrown.message : ''}`,
      {},
      thrown,
    );
  }
}

async function readAll(context: CommandContext, { all, sample, rate }: Options, damaged: Damage[]): Promise<Verified> {
  const { io, signal } = context;
  const paths = openMirror(context);
  const known = all || sample !== null ? null : await readCursor(paths);
  const start = known === null || known.ended_at !== null ? newCursor() : known;
  if (start.after !== null && io.isWatched)
    io.note(`goes on after ${formatCount(start.blobs)} blobs (--all begins anew)`);
  const { bytes: total } = await measureBlobs(paths, signal);
  const progress = startProgress(io, { unit: '', format: formatBytes });
  const isNoted = sample === null;
  let notedAt = performance.now();
  const noted = (blobs: number, bytes: number, after: string | null, ended: string | null): VerifyCursor => ({
    ...start,
    after,
    blobs: start.blobs + blobs,
    bytes: start.bytes + bytes,
    damaged: start.damaged + damaged.length,
    ended_at: ended,
  });
  const verified = await verifyBlobs(paths, {
    after: start.after,
    rate,
    sample: sample ?? 1,
    signal,
    onDamage: async (damage) => {
      await quarantineBlob(paths, damage);
      damaged.push(damage);
      io.note(`${damage.name}: its bytes are ${damage.found}; set aside`);
    },
    onProgress: (blobs, bytes, name) => {
      progress.at(start.bytes + bytes, Math.round(total * (sample ?? 1)));
      if (!isNoted || performance.now() - notedAt < noteEveryMs) return undefined;
      notedAt = performance.now();
      return writeCursor(paths, noted(blobs, bytes, name, null));
    },
  });
  progress.end();
  if (isNoted) await writeCursor(paths, noted(verified.blobs, verified.bytes, null, new Date().toISOString()));
  return verified;
}

interface Affected {
  readonly sha256: string;
  readonly pipeline: string;
  readonly number: number;
  readonly job: string;
  readonly path: string;
}

interface Outcome extends Affected {
  readonly state: FileState;
  readonly reason: string | null;
}

/** Has a worker mend the records, and waits a while for what it fetches. */
async function mend(context: CommandContext): Promise<Outcome[]> {
  const { result } = await awaitTask(context, { name: 'repair', payload: {} }, 'builds');
  const { files } = result as { files: readonly Affected[] };
  const paths = openMirror(context);
  const { organization } = context.settings().config;
  const until = Date.now() + fetchedWithinMs;
  for (;;) {
    const outcomes = await Promise.all(files.map((file) => outcomeOf(paths, organization, file)));
    const isOpen = outcomes.some(({ state }) => state === 'failed' || state === 'pending');
    if (!isOpen || Date.now() > until) return outcomes;
    await sleep(200, undefined, { signal: context.signal });
  }
}

async function outcomeOf(paths: DataPaths, organization: string, file: Affected): Promise<Outcome> {
  const place: Place = { organization, folder: file.pipeline, number: file.number };
  const record = await readJobRecord(paths, place, file.job);
  const own = file.path === 'log.txt' && record?.log?.sha256 === file.sha256 ? record.log : null;
  const found = own ?? record?.artifacts.find(({ path, sha256 }) => path === file.path && sha256 === file.sha256);
  return { ...file, state: found?.state ?? 'pending', reason: found?.reason ?? null };
}

function tell(
  io: Io,
  { blobs, bytes, seconds }: { blobs: number; bytes: number; seconds: number },
  damaged: readonly Damage[],
  files: readonly Outcome[],
): void {
  for (const { pipeline, number, path, state, reason } of files) {
    io.say(`${pipeline} #${number} ${path}: ${state === 'present' ? 'fetched again' : `${state}, ${reason ?? ''}`}`);
  }
  const verdict = damaged.length === 0 ? 'all are what their names say' : `${formatCount(damaged.length)} were damaged`;
  io.say(`${formatCount(blobs)} blobs, ${formatBytes(bytes)}, in ${seconds} s: ${verdict}`);
}
