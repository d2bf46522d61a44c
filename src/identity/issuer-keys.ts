/** The keys that an issuer signs its tokens with, from its address for them. */
import { createLocalJWKSet, createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
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
  let failure: { readonly until: number; readonly error: MirrorError } | null = null;
  return async (header, token) => {
    // The library asks again at once where it was refused: whoever makes up keys would have it ask for each of them.
    const refused = failure !== null && performance.now() < failure.until ? failure.error : null;
    const known = keys.fresh ? keys.jwks() : undefined;
    if (refused !== null && known === undefined) throw refused;
    try {
      return await (refused !== null && known !== undefined ? createLocalJWKSet(known) : keys)(header, token);
    } catch (thrown) {
      if (refused !== null && thrown instanceof errors.JWKSNoMatchingKey) throw refused;
      if (ofToken.some((kind) => thrown instanceof kind)) throw thrown;
      const what = 'the keys of who signs these tokens cannot be had';
      const error = new MirrorError('ERR_IDENTITY_UNAVAILABLE', what, {}, thrown);
      failure = { until: performance.now() + cooldownDuration, error };
      throw error;
    }
  };
}
