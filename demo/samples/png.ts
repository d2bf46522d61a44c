/** A PNG encoder for eight-bit RGB (ISO/IEC 15948), small and lossless. */
import { crc32, deflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const bytesPerPixel = 3;

/** @param pixels three bytes each, row by row from the top */
export function encodePng(width: number, height: number, pixels: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, RGB, deflate, filters by row, not interlaced.
  header.set([8, 2, 0, 0, 0], 8);
  const data = deflateSync(filterRows(width, height, pixels), { level: 6 });
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

/** Each byte less the one above it, which makes flat areas and gradients nearly nothing. */
function filterRows(width: number, height: number, pixels: Uint8Array): Buffer {
  const rowBytes = width * bytesPerPixel;
  const rows = Buffer.alloc((rowBytes + 1) * height);
  const up = 2;
  for (let y = 0; y < height; y += 1) {
    const out = y * (rowBytes + 1);
    const row = y * rowBytes;
    rows[out] = up;
    for (let x = 0; x < rowBytes; x += 1) {
      const above = y === 0 ? 0 : (pixels[row - rowBytes + x] ?? 0);
      rows[out + 1 + x] = (pixels[row + x] ?? 0) - above;
    }
  }
  return rows;
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, check]);
}
