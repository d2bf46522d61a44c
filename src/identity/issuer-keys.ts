/** The keys that an issuer signs its tokens with, from its address for them. */
import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { MirrorError } from '../errors.ts';

/** An issuer that does not answer keeps who wants to come in waiting no longer. */
const timeoutDuration = 5000;
/** A key that is not known yet is asked for no more often: an issuer that has exchanged its keys is followed that soon. */
const cooldownDuration = 5000;
/** What the token itself is to blame for. */
const ofToken = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/**
 * Keys are read again after ten minutes, so that one that the issuer has withdrawn counts no longer.
 * @returns the key of a token; throws MirrorError ERR_IDENTITY_UNAVAILABLE where the keys cannot be had now
 */
export function issuerKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { timeoutDuration, cooldownDuration });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (thrown) {
      if (ofToken.some((kind) => thrown instanceof kind)) throw thrown;
      throw new MirrorError('ERR_IDENTITY_UNAVAILABLE', 'the keys of who signs these tokens cannot be had', {}, thrown);
    }
  };
}
