/** Parses the variable parts of an address. What does not parse is not found: nothing can be there. */
import type { Request } from 'express';
import { MirrorError } from '../errors.ts';
import { Uuid } from '../model.ts';
import { segment } from '../pages/links.ts';
import type { Place } from '../tree/paths.ts';

/** A pipeline's folder: its slug, or `<slug>~<8 of its uuid>`. */
const folderName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(~[0-9a-f]{8})?$/;
const buildNumber = /^[1-9]\d{0,15}$/;

type Params = Request['params'];

export function notFound(message = 'there is nothing at this address'): MirrorError {
  return new MirrorError('ERR_NOT_FOUND', message);
}

/** @throws MirrorError ERR_NOT_FOUND for another organization than ours */
export function folderOf(params: Params, organization: string): string {
  const { folder } = params;
  if (params['organization'] !== organization || typeof folder !== 'string' || !folderName.test(folder))
    throw notFound();
  return folder;
}

export function placeOf(params: Params, organization: string): Place {
  const folder = folderOf(params, organization);
  const { number } = params;
  if (typeof number !== 'string' || !buildNumber.test(number)) throw notFound();
  return { organization, folder, number: Number(number) };
}

export function jobOf(params: Params): string {
  const parsed = Uuid.safeParse(params['job']);
  if (!parsed.success) throw notFound('there is no such job');
  return parsed.data;
}

/** The folders below, decoded, without the slash at the end. */
export function tailOf(params: Params): string[] {
  const { path } = params;
  const parts = path === undefined ? [] : [path].flat();
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('/'))) throw notFound();
  return parts;
}

export function buildHref(place: Place): string {
  return folderHref([place.organization, place.folder, 'builds', String(place.number)]);
}

/** `/a/b/` */
export function folderHref(parts: readonly string[]): string {
  return `/${parts.map((part) => `${segment(part)}/`).join('')}`;
}

/**
 * Folders have a slash at the end, or relative links would lead astray.
 * @returns where to go when it is missing, else null
 */
export function missingSlash(request: Request, parts: readonly string[]): string | null {
  if (request.path.endsWith('/')) return null;
  const cut = request.originalUrl.indexOf('?');
  return folderHref(parts) + (cut === -1 ? '' : request.originalUrl.slice(cut));
}
