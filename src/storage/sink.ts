/** Where bytes go, in order. */
import { MirrorError, toMirrorError } from '../errors.ts';

export interface Sink {
  readonly received: number;
  /** @returns false when the sender should pause until `drained` */
  write(chunk: Buffer): boolean;
  drained(): Promise<void>;
  /** Forgets what was received: the next byte is the first. */
  restart(): void;
}

/**
 * Writes, and waits where the disk is slower.
 * @throws MirrorError ERR_BLOB_MISMATCH where the chunk goes beyond the size that upstream states; what the disk says
 */
export async function deliver(chunk: Buffer, sink: Sink, size: number): Promise<void> {
  if (sink.received + chunk.length > size) throw tooLong(size);
  try {
    if (!sink.write(chunk)) await sink.drained();
  } catch (thrown) {
    throw toMirrorError(thrown);
  }
}

export function tooLong(size: number): MirrorError {
  return new MirrorError('ERR_BLOB_MISMATCH', `is longer than the ${size} bytes that upstream states`);
}
