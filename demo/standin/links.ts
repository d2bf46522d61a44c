/** Presigned links to the storage: made by the API's download answer, checked by the storage. AWS's form, our own key. */
import { createHmac } from 'node:crypto';

const key = 'the stand-in signs its links with this';
/** As long as real ones, which make a link about 1.6 KB; its beginning lets tests look for it where it must not be. */
export const securityToken = `STANDIN-SECURITY-TOKEN-${'IQoJb3JpZ2luX2VjE'.repeat(50)}`;

const algorithm = 'AWS4-HMAC-SHA256';

/**
 * @param path beginning with `/`, encoded
 * @param at milliseconds since 1970
 */
export function signedLink(base: string, path: string, mimeType: string, at: number, seconds: number): string {
  const stamp = new Date(at).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const query =
    `response-content-type=${encodeURIComponent(mimeType)}&X-Amz-Algorithm=${algorithm}` +
    `&X-Amz-Credential=ASIASTANDIN%2F${stamp.slice(0, 8)}%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=${stamp}` +
    `&X-Amz-Expires=${seconds}&X-Amz-Security-Token=${securityToken}&X-Amz-SignedHeaders=host`;
  return `${base}${path}?${query}&X-Amz-Signature=${signature(path, query)}`;
}

export type LinkVerdict = 'good' | 'missing' | 'tampered' | 'expired';

/** @param query without the `?` */
export function checkLink(path: string, query: string, now: number): LinkVerdict {
  const cut = query.lastIndexOf('&X-Amz-Signature=');
  if (cut < 0) return 'missing';
  if (query.slice(cut + '&X-Amz-Signature='.length) !== signature(path, query.slice(0, cut))) return 'tampered';
  const values = new URLSearchParams(query);
  const stamp = (values.get('X-Amz-Date') ?? '').replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5');
  const end = Date.parse(stamp) + Number(values.get('X-Amz-Expires')) * 1000;
  return now <= end ? 'good' : 'expired';
}

function signature(path: string, query: string): string {
  return createHmac('sha256', key).update(`${path}\n${query}`).digest('hex');
}
