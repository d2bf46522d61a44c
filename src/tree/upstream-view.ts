/** upstream.json: the build as upstream had it when last asked, through the allow-list. Written by read-build alone. */
import type { UpstreamView } from '../model.ts';
import { readIfPresent, writeAtomic } from './files.ts';
import type { DataPaths, Place } from './paths.ts';
import { temporaryFile } from './temporary.ts';

export async function readUpstreamView(paths: DataPaths, place: Place): Promise<UpstreamView | null> {
  const text = await readIfPresent(paths.buildFile(place, 'upstream.json'));
  if (text === null) return null;
  const view = JSON.parse(text) as UpstreamView;
  return view.version === 1 ? view : null;
}

export async function writeUpstreamView(paths: DataPaths, place: Place, view: UpstreamView): Promise<void> {
  const file = paths.buildFile(place, 'upstream.json');
  await writeAtomic(file, `${JSON.stringify(view)}\n`, { temporary: temporaryFile(paths) });
}
