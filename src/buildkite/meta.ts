/**
 * The addresses that Buildkite sends webhooks from. It announces new ones a week before it uses them.
 * @see https://buildkite.com/docs/apis/rest-api/meta
 */
import { z } from 'zod';
import { parseRange } from '../addresses.ts';
import { malformed, parse, readBody } from './client.ts';
import type { Rest } from './rest.ts';

const Meta = z.object({ webhook_ips: z.array(z.string()).min(1) });

/** @returns ranges, each with its length of bits @throws MirrorError ERR_UPSTREAM_MALFORMED for a list that cannot be one */
export async function readWebhookRanges(rest: Rest, signal: AbortSignal): Promise<string[]> {
  const answer = await rest({ path: '/meta', purpose: 'meta', signal });
  const { webhook_ips: told } = parse(await readBody(answer, 'meta'), Meta, 'meta');
  return told.map((text) => {
    const range = rangeOf(text);
    if (range === null) throw malformed('meta', `has "${text.slice(0, 60)}" among the addresses of webhooks`);
    return range;
  });
}

/** Everybody is no answer to who sends webhooks. */
function rangeOf(text: string): string | null {
  try {
    const { address, bits } = parseRange(text);
    return bits === 0 ? null : `${address}/${bits}`;
  } catch {
    return null;
  }
}
