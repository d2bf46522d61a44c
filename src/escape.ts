/** Text made safe to stand in HTML. Pure, and shared with the browser. */

/**
 * For text and for quoted attributes alike. Control characters become their pictures (␀ ␛ …); what would turn the
 * direction of the text around it becomes �, as an isolating element alone can be left by one character too many.
 */
export function escape(text: string): string {
  let escaped = '';
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Most of any text: letters, digits, spaces.
    if (code < 0x80 && isPlain[code] === 1) continue;
    // Whole characters of two units are left as they are, halves are not.
    if (code >= 0xd800 && code <= 0xdbff && isLow(text.charCodeAt(at + 1))) {
      at += 1;
      continue;
    }
    const instead = insteadOf(code);
    if (instead === null) continue;
    escaped += text.slice(from, at) + instead;
    from = at + 1;
  }
  return from === 0 ? text : escaped + text.slice(from);
}

/** By the character's code: whether it stays as it is. A look-up costs less than to compare it with each that does not. */
const isPlain = Uint8Array.from({ length: 0x80 }, (_, code) => Number(insteadOf(code) === null));

function isLow(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** null: the character itself. */
function insteadOf(code: number): string | null {
  if (code === 0x26) return '&amp;';
  if (code === 0x3c) return '&lt;';
  if (code === 0x3e) return '&gt;';
  if (code === 0x22) return '&quot;';
  if (code === 0x27) return '&#39;';
  if (code === 0x0a || code === 0x09) return null;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code < 0x7f) return null;
  if (code === 0x7f) return '\u2421';
  const turns = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  const isHalf = code >= 0xd800 && code <= 0xdfff;
  return code <= 0x9f || turns || isHalf || code === 0xfeff ? '\ufffd' : null;
}
