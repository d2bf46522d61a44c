/** Artifacts: lists of a build or job, one, and its download link. Rendered by hand: a build may have 100,000. */
import { type Answer, json, notFound, pageLinks, pageOf, rawJson, refusal } from './answer.ts';
import { glob, isReplaced } from './builds.ts';
import { buildOf, type Call, jobOf, scriptOf } from './call.ts';
import { signedLink } from './links.ts';
import { buildUrl } from './render.ts';
import type { ArtifactState } from './sample.ts';
import { objectPath } from './storage.ts';
import type { StoredArtifact, StoredBuild } from './upstream.ts';

const states: ReadonlySet<string> = new Set<ArtifactState>(['new', 'error', 'finished', 'deleted', 'expired']);

export function listBuildArtifacts(call: Call): Answer {
  const stored = buildOf(call);
  if (stored === undefined) return notFound;
  return listed(listingOf(stored, call.behaviour.retriedInBuildListing), call);
}

export function listJobArtifacts(call: Call): Answer {
  const stored = jobOf(call);
  if (stored === undefined) return notFound;
  return listed('artifacts' in stored ? stored.artifacts.filter(isListed) : [], call);
}

export function getArtifact(call: Call): Answer {
  const stored = artifactOf(call);
  return stored === undefined ? notFound : rawJson(look(stored, call.view.base));
}

/** 302 with the address in `Location` and in the body; what is not finished, or no longer there, is not found. */
export function downloadArtifact(call: Call): Answer {
  const stored = artifactOf(call);
  if (stored === undefined || stateOf(stored) !== 'finished') return notFound;
  const url = downloadUrl(stored, call.storageUrl, call.now(), call.behaviour.linkSeconds);
  return { ...json({ url }, { location: url, 'cache-control': 'no-cache' }), status: 302 };
}

/** The plain address of what is stored elsewhere, else a link to the storage that is good for so long. */
export function downloadUrl(stored: StoredArtifact, storageUrl: string, now: number, linkSeconds: number): string {
  const { location, mimeType } = stored.artifact;
  return location ?? signedLink(storageUrl, objectPath(stored), mimeType, now, linkSeconds);
}

/** Kept, so that a page of a large build costs no more than one of a small build. */
function listingOf(stored: StoredBuild, withReplaced: boolean): readonly StoredArtifact[] {
  const kind = withReplaced ? 'all' : 'current';
  let listing = stored.listings.get(kind);
  if (listing === undefined) {
    const jobs = stored.jobs.filter((job) => withReplaced || !isReplaced(job.job));
    listing = jobs.flatMap((job) => ('artifacts' in job ? job.artifacts.filter(isListed) : []));
    stored.listings.set(kind, listing);
  }
  return listing;
}

/** What was deleted is no longer listed. */
function isListed(stored: StoredArtifact): boolean {
  return stored.artifact.state !== 'deleted';
}

function artifactOf(call: Call): StoredArtifact | undefined {
  const stored = call.upstream.artifact(call.artifact.toLowerCase());
  return stored !== undefined && stored.job === scriptOf(call) ? stored : undefined;
}

function listed(artifacts: readonly StoredArtifact[], call: Call): Answer {
  const state = call.query.get('state');
  if (state !== null && !states.has(state)) return refusal(422, `Unknown artifact state ${JSON.stringify(state)}`);
  const path = call.query.get('path');
  const pattern = path === null ? null : glob(path);
  const filtered = (stored: StoredArtifact): boolean =>
    (state === null || stateOf(stored) === state) && (pattern === null || pattern.test(stored.artifact.path));
  const found = state === null && pattern === null ? artifacts : artifacts.filter(filtered);
  const page = pageOf(call.query);
  const items: string[] = [];
  const end = Math.min(page.start + page.size, found.length);
  for (let index = page.start; index < end; index += 1) {
    const stored = found[index];
    if (stored !== undefined) items.push(look(stored, call.view.base));
  }
  return rawJson(`[${items.join(',')}]`, pageLinks(call.view.base + call.path, call.query, page, found.length));
}

export function stateOf(stored: StoredArtifact): ArtifactState {
  return stored.looks < (stored.artifact.newForLooks ?? 0) ? 'new' : stored.artifact.state;
}

/** Renders an artifact, which counts as having been looked at. */
function look(stored: StoredArtifact, base: string): string {
  const { artifact, job } = stored;
  const state = stateOf(stored);
  stored.looks += 1;
  const cut = artifact.path.lastIndexOf('/');
  const url = `${buildUrl(base, job.home.build)}/jobs/${job.job.id}/artifacts/${artifact.id}`;
  return (
    `{"id":"${artifact.id}","job_id":"${job.job.id}","url":"${url}","download_url":"${url}/download",` +
    `"state":"${state}","path":${JSON.stringify(artifact.path)},` +
    `"dirname":${JSON.stringify(cut < 0 ? '.' : artifact.path.slice(0, cut))},` +
    `"filename":${JSON.stringify(artifact.path.slice(cut + 1))},"mime_type":${JSON.stringify(artifact.mimeType)},` +
    `"file_size":${stored.size},"glob_path":null,"original_path":null,"sha1sum":${JSON.stringify(stored.sha1)}}`
  );
}
