/** The pieces that a log is given to a terminal in: where a long line is broken depends on them. Pure, and shared with the browser. */

const blockBytes = 32 * 1024;
const newline = 0x0a;

/** Where the block ends that begins at a place: behind its last line end, else between two characters. null: more bytes decide it. */
export function endOfBlock(bytes: Uint8Array, at: number): number | null {
  if (bytes.length - at < blockBytes) return null;
  const found = bytes.lastIndexOf(newline, at + blockBytes - 1);
  if (found >= at) return found + 1;
  let end = at + blockBytes;
  // Bytes within a character begin with the bits 10.
  for (let back = 0; back < 3 && ((bytes[end] ?? 0) & 0xc0) === 0x80; back += 1) end -= 1;
  return end;
}
