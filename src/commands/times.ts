/** Times as people give them on a command line. */
import { MirrorError } from '../errors.ts';

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** `2026-11-20`, any ISO 8601 instant, or so long ago: `90m`, `36h`, `14d`, `8w`. @returns ISO 8601 in UTC @throws MirrorError ERR_REQUEST_MALFORMED */
export function parseTime(value: string, option: string, now: number = Date.now()): string {
  const [, amount, unit = ''] = /^(\d{1,5})([mhdw])$/.exec(value) ?? [];
  if (amount !== undefined) return new Date(now - Number(amount) * (unitMs[unit] ?? 0)).toISOString();
  const at = /^\d{4}-\d\d-\d\d([T ].+)?$/.test(value) ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  const wanted = 'a day (2026-11-20), an instant (2026-11-20T08:00Z) or how long ago (36h, 14d)';
  throw new MirrorError('ERR_REQUEST_MALFORMED', `${option} is "${value}", not ${wanted}`);
}
