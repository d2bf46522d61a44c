/** The builds that a bench mirrors, and the bytes of their artifacts as files that the storage server sends. */
import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { buildOf, frameOf } from '../demo/samples/frame.ts';
import { script } from '../demo/samples/script.ts';
import { acme, makePipeline } from '../demo/samples/team.ts';
import { bytesOf, readAll } from '../demo/standin/bytes.ts';
import { uuidFrom } from '../demo/standin/ids.ts';
import { signedLink } from '../demo/standin/links.ts';
import type { SampleBuild } from '../demo/standin/sample.ts';

/** One file to fetch: what upstream states of it, and the link that is ready for use. */
export interface BenchFile {
  readonly path: string;
  readonly url: string;
  readonly size: number;
  readonly sha1: string;
}

export interface BenchBuild {
  readonly sample: SampleBuild;
  readonly files: readonly BenchFile[];
}

export interface BuildPlan {
  readonly number: number;
  readonly jobs: number;
  readonly filesPerJob: number;
  readonly bytes: number;
  /** Files of one seed and size have the same bytes. */
  readonly seed: string;
}

export const organization = acme.slug;
export const pipeline = makePipeline('bench');

const linkSeconds = 86_400;
/** What upstream says of the content is told apart; the stand-in itself sends none of it. */
const elsewhere = { seed: '', size: 1 };

/**
 * Writes the files into `folder`, under the ids of their artifacts. Their links are as long as real ones.
 * @param storageUrl of the server that sends `folder` as `/files/`
 */
export function makeBuild(plan: BuildPlan, folder: string, storageUrl: string): BenchBuild {
  const { number, jobs, filesPerJob, bytes, seed } = plan;
  const now = Date.now();
  const frame = frameOf({ pipeline, number, branch: 'main', message: `Bench ${number}`, createdAt: now - 120_000 });
  const files: BenchFile[] = [];
  const scripts = Array.from({ length: jobs }, (_, job) => {
    const drafts = Array.from({ length: filesPerJob }, (_, file) => ({
      path: `report/part-${job}/file-${String(file).padStart(4, '0')}.bin`,
      content: elsewhere,
    }));
    const draft = { name: `Job ${job}`, key: `job-${job}`, command: 'make', start: 5, seconds: 60, files: drafts };
    const sample = script(frame, draft);
    const artifacts = sample.artifacts.map((artifact) => {
      const sums = writeContent(join(folder, artifact.id), `${seed}/${artifact.path}`, bytes);
      const url = signedLink(storageUrl, `/files/${artifact.id}`, artifact.mimeType, now, linkSeconds);
      files.push({ path: artifact.path, url, size: bytes, sha1: sums.sha1 });
      return { ...artifact, location: url, claims: { size: bytes, ...sums } };
    });
    return { ...sample, artifacts };
  });
  return { sample: buildOf(frame, { jobs: scripts, state: 'passed', seconds: 100 }), files };
}

/** The same files in another build; its jobs are others, its artifacts keep their ids and links. */
export function renumber({ sample, files }: BenchBuild, number: number): BenchBuild {
  const another = (id: string): string => uuidFrom(`${id} ${number}`, sample.createdAt);
  const jobs = sample.jobs.map((job) => ({ ...job, id: another(job.id) }));
  return { sample: { ...sample, number, id: another(sample.id), jobs }, files };
}

type Sums = Readonly<Record<'sha1' | 'sha256', string>>;

function writeContent(file: string, seed: string, size: number): Sums {
  const content = { seed, size };
  if (size <= 1024 * 1024) {
    const bytes = readAll(content);
    writeFileSync(file, bytes);
    return { sha1: hash('sha1', bytes), sha256: hash('sha256', bytes) };
  }
  const [sha1, sha256] = [createHash('sha1'), createHash('sha256')];
  const fd = openSync(file, 'wx');
  try {
    for (const slice of bytesOf(content).slices(0, size)) {
      sha1.update(slice);
      sha256.update(slice);
      for (let at = 0; at < slice.length; ) at += writeSync(fd, slice, at);
    }
  } finally {
    closeSync(fd);
  }
  return { sha1: sha1.digest('hex'), sha256: sha256.digest('hex') };
}
