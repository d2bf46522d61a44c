/** What became of a delivery: Express' own errors in our words, and our answers in the metric's. */
import type { ServerResponse } from 'node:http';
import { MirrorError } from '../errors.ts';
import type { DeliveryOutcome } from '../metrics/receiver.ts';

/** A build event is 4 to 20 KB; pipelines with long definitions and environments make it a few hundred. */
export const maxBodyBytes = 5 * 1024 * 1024;

const outcomes: Readonly<Record<number, DeliveryOutcome>> = {
  200: 'ping',
  202: 'accepted',
  204: 'ignored',
  400: 'malformed',
  401: 'unverified',
  413: 'too_large',
  415: 'media_type',
  503: 'unavailable',
};

/** @param response closed */
export function outcomeOf(response: ServerResponse): DeliveryOutcome {
  if (!response.writableFinished) return 'aborted';
  return outcomes[response.statusCode] ?? 'failed';
}

/** body-parser's errors have a `type` (https://github.com/expressjs/body-parser#errors); other errors pass as they are. */
export function refusalOf(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof MirrorError || !('type' in thrown)) return thrown;
  switch (thrown.type) {
    case 'entity.too.large':
      return new MirrorError('ERR_DELIVERY_TOO_LARGE', `the body is larger than ${maxBodyBytes} bytes`, {}, thrown);
    case 'encoding.unsupported':
      return new MirrorError('ERR_DELIVERY_MEDIA_TYPE', 'the body must not be compressed', {}, thrown);
    case 'request.aborted':
    case 'request.size.invalid':
      return new MirrorError('ERR_DELIVERY_MALFORMED', 'the body ended early', {}, thrown);
    default:
      return thrown;
  }
}
