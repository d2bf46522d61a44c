/** Which build a person means: `web/42`, `acme/web/42`, its address, or its uuid. */
import { MirrorError } from '../errors.ts';
import { type BuildRecord, Uuid } from '../model.ts';
import type { Catalog } from '../search/catalog.ts';
import type { DataPaths, Place } from '../tree/paths.ts';
import { readBuildRecord } from '../tree/records.ts';

/** @returns null for what is none of these; the organization's name may be left out */
export function parseBuildName(word: string, organization: string): Place | null {
  const path = URL.canParse(word) ? new URL(word).pathname : word;
  const parts = path.split('/').filter((part) => part !== '' && part !== 'builds');
  const named = parts.length >= 3 && parts[0] === organization ? parts.slice(1) : parts;
  const [folder, number] = named;
  if (folder === undefined || number === undefined || !/^[A-Za-z0-9_][A-Za-z0-9_.~-]*$/.test(folder)) return null;
  if (!/^[1-9]\d{0,14}$/.test(number)) return null;
  return { organization, folder, number: Number(number) };
}

/** @throws MirrorError ERR_NOT_FOUND, or ERR_REQUEST_MALFORMED with the forms that are understood */
export async function findBuild(
  word: string,
  { paths, catalog, organization }: { paths: DataPaths; catalog: () => Catalog; organization: string },
): Promise<{ place: Place; record: BuildRecord }> {
  const place = placeOfUuid(word, catalog) ?? parseBuildName(word, organization);
  if (place === null) {
    const forms = `web/42, ${organization}/web/42, its address, or its uuid`;
    throw new MirrorError('ERR_REQUEST_MALFORMED', `"${word}" names no build; say ${forms}`);
  }
  const record = await readBuildRecord(paths, place);
  if (record === null)
    throw new MirrorError('ERR_NOT_FOUND', `the build ${place.folder}/${place.number} is not mirrored`);
  return { place, record };
}

function placeOfUuid(word: string, catalog: () => Catalog): Place | null {
  const uuid = Uuid.safeParse(word).data;
  if (uuid === undefined) return null;
  for (const { folder, summary } of catalog().entries()) {
    if (summary.id === uuid) return { organization: summary.organization, folder, number: summary.number };
  }
  throw new MirrorError('ERR_NOT_FOUND', `no mirrored build has the id ${uuid}`);
}
