/** `kitemirror purge`: a leaked file or value, removed everywhere, with the proof and the names of who has read it. */

import { MirrorError } from '../errors.ts';
import { findReadings, type Reading } from '../tree/access-log.ts';
import { readInput } from '../tree/files.ts';
import type { DataPaths } from '../tree/paths.ts';
import { digestAt, digestsHolding, type LookOptions, type Proof, proveGone } from '../tree/purge-proof.ts';
import { blobSizes, hideBlob } from '../tree/quarantine.ts';
import { findShown, type Shown, type Sought } from '../tree/shown.ts';
import { newTombstone, readTombstone, writeTombstone } from '../tree/tombstones.ts';
import { awaitTask } from './await-task.ts';
import { type Command, type CommandContext, exit, type Io, sayJson } from './command.ts';
import { openMirror } from './parts.ts';
import { startProgress } from './progress.ts';

/** Shorter values are in everything. */
const leastBytes = 6;

interface Report {
  readonly dry_run: boolean;
  readonly sha256: readonly string[];
  readonly files: readonly Shown[];
  readonly purged: number;
  readonly proof: Proof | null;
  readonly read_by: readonly Reading[];
}

export const purge: Command = {
  name: 'purge',
  summary: 'removes a leaked file or value everywhere, for good',
  usage: '[ADDRESS …] [--digest SHA256] [--value FILE] [--reason TEXT] [--dry-run] [--json]',
  help: `Removes bytes from everywhere: readers are cut off first, then a worker clears records, names, pages, lists and blobs. What was
purged is never mirrored again (a tombstone under state/purged/). Then it looks everywhere for what is left, and names from the
access log who was sent it; "may have been": at an address of the pipeline's earlier names, in a merged or step view where another
attempt may have been shown, or where retention has removed it since. Files with the same bytes go too, in every build; pins do not hold them.
ADDRESS: a file's address or its path, such as /acme/web/builds/42/jobs/…/artifacts/.env or …/log.txt
--digest SHA256: bytes by their digest
--value FILE: every file that holds the value in FILE (without its last line break; - is stdin) or is named by it, and the value itself in
  the records, where [purged] takes its place; what comes later and holds it is not mirrored either. A name alone is readable until a
  worker has come to it, and the access log keeps the addresses that were asked for. The value is kept nowhere; never write it into a command line
--reason TEXT: for the audit · --dry-run: says what would go and who has read it
--json: {"dry_run":false,"sha256":[],"files":[{"pipeline":"…","number":1,"job":"…","path":"…","urls":[],"earlier":[]}],"purged":0,
  "proof":{"looked_at":0,"left":[]},"read_by":[{"ts":"…","ip":"…","who":null,"url":"…","status":200,"user_agent":"…","sure":true}]}
exit 0: nothing of it is left · 1: something is, or no worker did it (readers are cut off all the same) · 64: nothing was named, or
something that cannot be right`,
  options: {
    digest: { type: 'string', multiple: true },
    value: { type: 'string' },
    reason: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  },
  takesWords: true,
  changes: ({ values }) => values['dry-run'] !== true,
  run: async (context: CommandContext) => {
    const { io, values, words } = context;
    const { digest, value, reason } = values;
    if (words.length === 0 && digest === undefined && value === undefined) {
      io.note('kitemirror purge: name an address, a --digest or a --value');
      return exit.usage;
    }
    const paths = openMirror(context);
    const literal = typeof value === 'string' ? await readValue(value) : null;
    const sha256 = await wantedDigests(context, paths, literal);
    const { files, readBy } = await affected(context, paths, { sha256, literal });
    const found = { sha256, files, read_by: readBy };
    if (values['dry-run'] === true) {
      report(context, { dry_run: true, ...found, purged: 0, proof: null });
      return exit.ok;
    }
    const sizes = new Set(sha256.flatMap((each) => blobSizes(paths, each)));
    const why = typeof reason === 'string' ? reason : 'by an operator';
    const tombstone = newTombstone({ sha256, literal, reason: why });
    await writeTombstone(paths, tombstone);
    for (const each of sha256) await hideBlob(paths, each);
    io.note('readers are cut off; a worker removes what is left');
    await awaitTask(context, { name: 'purge', payload: {} }, 'builds');
    // Another run, of the workers' own, may have come before and done all or some of it.
    const purged = (await readTombstone(paths, tombstone.id))?.files ?? 0;
    const proof = await looking(context, 'files', (look) => proveGone(paths, { sha256, sizes, literal }, look));
    report(context, { dry_run: false, ...found, purged, proof });
    return proof.left.length === 0 ? exit.ok : exit.fault;
  },
};

/** The last line break is the editor's, not the value's. */
async function readValue(file: string): Promise<Buffer> {
  const bytes = await readInput(file);
  const value = bytes.at(-1) === 0x0a ? bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1) : bytes;
  if (value.length >= leastBytes) return value;
  throw new MirrorError(
    'ERR_REQUEST_MALFORMED',
    `a value of ${value.length} bytes is in too many files; ${leastBytes} is the least`,
  );
}

async function wantedDigests(context: CommandContext, paths: DataPaths, literal: Buffer | null): Promise<string[]> {
  const named = context.values['digest'];
  const digests = new Set<string>();
  for (const each of Array.isArray(named) ? named : []) {
    const digest = String(each).toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(digest))
      throw new MirrorError('ERR_REQUEST_MALFORMED', `--digest ${digest} is no SHA-256 in hex`);
    digests.add(digest);
  }
  for (const word of context.words) digests.add(await digestAt(paths, word));
  if (literal === null) return [...digests];
  const holding = await looking(context, 'blobs', (look) => digestsHolding(paths, literal, look));
  return [...new Set([...digests, ...holding])];
}

async function affected(
  context: CommandContext,
  paths: DataPaths,
  { sha256, literal }: { readonly sha256: readonly string[]; readonly literal: Buffer | null },
): Promise<{ files: Shown[]; readBy: Reading[] }> {
  const digests = new Set(sha256);
  const isSought: Sought = (file) =>
    digests.has(file.sha256) || (literal !== null && Buffer.from(file.path).includes(literal));
  const files = await looking(context, 'builds', (look) => findShown(paths, isSought, look));
  const [urls, earlier] = [files.flatMap((each) => each.urls), files.flatMap((each) => each.earlier)];
  return { files, readBy: await findReadings(paths, new Set(urls), new Set(earlier)) };
}

async function looking<T>(
  { io, signal }: CommandContext,
  unit: string,
  work: (look: LookOptions) => Promise<T>,
): Promise<T> {
  const progress = startProgress(io, { unit });
  try {
    return await work({ signal, onProgress: (done) => progress.at(done, null) });
  } finally {
    progress.end();
  }
}

function report({ io, values }: CommandContext, found: Report): void {
  if (values['json'] === true) sayJson(io, found);
  else tell(io, found);
}

function tell(io: Io, { dry_run: isDry, sha256, files, proof, read_by: readBy }: Report): void {
  const contents = new Set([...sha256, ...files.map((each) => each.sha256)]).size;
  for (const { pipeline, number, path, urls } of files) io.say(`${pipeline} #${number} ${path}  ${urls[0] ?? ''}`);
  io.say(`${isDry ? 'would purge' : 'purged'} ${files.length} names of ${contents} contents`);
  if (readBy.length === 0) io.say('the access log names nobody who was sent it');
  for (const { ts, ip, who, url, user_agent: agent, sure } of readBy)
    io.say(`${sure ? 'read' : 'may have been read'} ${ts} by ${who ?? ip} (${agent}): ${url}`);
  for (const file of proof?.left ?? []) io.say(`LEFT in ${file}`);
  if (proof !== null)
    io.say(
      `looked at ${proof.looked_at} files: ${proof.left.length === 0 ? 'nothing of it is left' : `${proof.left.length} still hold it`}`,
    );
}
