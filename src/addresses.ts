/** Ranges of internet addresses: `10.0.0.0/8`, `2001:db8::/32`, one address alone. */
import { isIP } from 'node:net';

/** @throws Error that continues the sentence «the range …» */
export function parseRange(text: string): { address: string; bits: number; family: 'ipv4' | 'ipv6' } {
  const match = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const bits = match?.[2] === undefined ? most : Number(match[2]);
  if (version === 0 || bits > most) throw new Error('is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32');
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** @param address as a socket tells it; an IPv4 address that came in over IPv6 counts as IPv4 */
export function isWithin(ranges: readonly string[], address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(plain) === 0) return false;
  const bits = rangeBits(plain);
  return ranges.some((range) => bits.startsWith(rangeBits(range)));
}

/** As both sides compare them: the family, then the first bits of the address as text of 0 and 1. */
export function rangeBits(range: string): string {
  const { address, bits, family } = parseRange(range);
  const bytes = family === 'ipv4' ? address.split('.').map(Number) : ipv6Bytes(address);
  const text = bytes.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return `${family === 'ipv4' ? '4' : '6'}${text.slice(0, bits)}`;
}

function ipv6Bytes(address: string): number[] {
  // An address may end in the dotted form of the last four bytes.
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = plain.split('::');
  const words = (text: string | undefined): string[] => (text ?? '').split(':').filter((word) => word !== '');
  const [front, back] = [words(head), words(tail)];
  const middle = tail === undefined ? [] : Array.from({ length: 8 - front.length - back.length }, () => '0');
  return [...front, ...middle, ...back].flatMap((word) => {
    const value = Number.parseInt(word, 16);
    return [value >> 8, value & 255];
  });
}
