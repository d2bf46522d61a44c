/** What a GraphQL answer's body says: data, errors, or neither. */
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { type ErrorDetails, MirrorError } from '../errors.ts';

export type GraphqlMode = 'graphql' | 'portal';

export interface GraphqlAnswer {
  /** There is always some; what an error left out of it is null. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Of the errors that came with it the first, without addresses and tokens; null: none. */
  readonly error: string | null;
  /** Since the request was sent, in ms: what the answer says may be that old. */
  readonly ageMs: number;
}

/** 50,000 objects with a signed URL each are 40 MB; what is far beyond that is not an answer. */
const maxBytes = 128 * 1024 * 1024;

const Reply = z.object({
  data: z.record(z.string(), z.unknown()).nullish(),
  errors: z.array(z.unknown()).nullish(),
});
const Fault = z.object({ message: z.string() });

/** @throws MirrorError ERR_UPSTREAM_UNAVAILABLE when it broke off, ERR_UPSTREAM_MALFORMED when it is no JSON */
export async function readReply({ body }: Dispatcher.ResponseData): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw malformed(`is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof MirrorError) throw cause;
    throw new MirrorError('ERR_UPSTREAM_UNAVAILABLE', 'The answer to a query broke off', {}, cause);
  }
  try {
    return JSON.parse(Buffer.concat(chunks, size).toString('utf8'));
  } catch {
    throw malformed('is not JSON');
  }
}

/** @throws MirrorError ERR_UPSTREAM_DENIED or ERR_UPSTREAM_MALFORMED when there is no data */
export function parseReply(reply: unknown, api: GraphqlMode): Omit<GraphqlAnswer, 'ageMs'> {
  const parsed = Reply.safeParse(reply);
  if (!parsed.success) throw malformed('has neither data nor errors', { api });
  const { data, errors } = parsed.data;
  const error = errors == null || errors.length === 0 ? null : messageOf(errors[0]);
  if (data != null) return { data, error };
  if (error !== null && isRefusal(error)) throw denied(api, { api, reason: error });
  throw malformed(error === null ? 'has no data' : `has no data but an error: ${error}`, { api });
}

export function denied(api: GraphqlMode, details: ErrorDetails): MirrorError {
  const text = api === 'portal' ? 'The portal refuses its token, or is not there' : 'The API token may not use GraphQL';
  return new MirrorError('ERR_UPSTREAM_DENIED', text, details);
}

/** Without what could be a secret, and not long. */
export function messageOf(error: unknown): string {
  const text = Fault.safeParse(error).data?.message ?? 'without a message';
  return text
    .replaceAll(/\w+:\/\/\S+/g, '[URL]')
    .replaceAll(/\bbk\w{0,4}_\w+/g, '[secret]')
    .slice(0, 200);
}

function isRefusal(message: string): boolean {
  return /\bscope\b|authenticat|authoriz|permission|forbidden/i.test(message);
}

function malformed(what: string, details: ErrorDetails = {}): MirrorError {
  return new MirrorError('ERR_UPSTREAM_MALFORMED', `Buildkite's answer to a query ${what}`, details);
}
