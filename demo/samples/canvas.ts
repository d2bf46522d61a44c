/** Just enough drawing for mock-ups: gradients, rounded boxes with soft shadows, discs and lines, with smooth edges. */
import { encodePng } from './png.ts';

/** Red, green, blue: 0 to 255. */
export type Color = readonly [number, number, number];

export function mix(from: Color, to: Color, part: number): Color {
  const at = (index: 0 | 1 | 2): number => from[index] + (to[index] - from[index]) * part;
  return [at(0), at(1), at(2)];
}

const black: Color = [0, 0, 0];

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #pixels: Uint8Array;

  constructor(width: number, height: number, top: Color, bottom: Color = top) {
    this.width = width;
    this.height = height;
    this.#pixels = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y += 1) {
      Buffer.from(this.#pixels.buffer, y * width * 3, width * 3).fill(Buffer.from(mix(top, bottom, y / height)));
    }
  }

  /** @param radius of its corners @param to the color at its right edge */
  box({ x, y, width, height }: Box, radius: number, color: Color, to: Color = color, opacity = 1): this {
    const [halfWidth, halfHeight] = [width / 2, height / 2];
    const corner = Math.min(radius, halfWidth, halfHeight);
    const cover = (px: number, py: number): number => {
      const dx = Math.abs(px - x - halfWidth) - halfWidth + corner;
      const dy = Math.abs(py - y - halfHeight) - halfHeight + corner;
      // The distance to the edge, negative within; a pixel on it is covered by half.
      const outside = dx > 0 && dy > 0 ? Math.sqrt(dx * dx + dy * dy) : Math.max(dx, dy);
      return 0.5 - outside + corner;
    };
    return this.#paint({ x, y, width, height }, cover, (px) => mix(color, to, (px - x) / width), opacity);
  }

  /** A white card on a shadow. */
  card(box: Box, radius = 12): this {
    for (const spread of [9, 6, 3]) {
      const { x, y, width, height } = box;
      const shadow = { x: x - spread, y: y - spread + 4, width: width + spread * 2, height: height + spread * 2 };
      this.box(shadow, radius + spread, [20, 24, 60], [20, 24, 60], 0.035);
    }
    return this.box(box, radius, [255, 255, 255]);
  }

  disc(x: number, y: number, radius: number, color: Color, to: Color = color): this {
    return this.box({ x: x - radius, y: y - radius, width: radius * 2, height: radius * 2 }, radius, color, to);
  }

  line(x1: number, y1: number, x2: number, y2: number, thickness: number, color: Color): this {
    const [dx, dy] = [x2 - x1, y2 - y1];
    const length = dx * dx + dy * dy;
    const [x, y] = [Math.min(x1, x2) - thickness, Math.min(y1, y2) - thickness];
    const box = { x, y, width: Math.abs(dx) + thickness * 2, height: Math.abs(dy) + thickness * 2 };
    const cover = (px: number, py: number): number => {
      const along = Math.min(1, Math.max(0, ((px - x1) * dx + (py - y1) * dy) / length));
      const offX = px - x1 - along * dx;
      const offY = py - y1 - along * dy;
      return thickness / 2 - Math.sqrt(offX * offX + offY * offY) + 0.5;
    };
    return this.#paint(box, cover, () => color, 1);
  }

  /** Grey bars where a real page has lines of text. */
  text(x: number, y: number, widths: readonly number[], color: Color = [203, 208, 222], height = 9): this {
    for (const [row, width] of widths.entries()) {
      this.box({ x, y: y + row * height * 2, width, height }, height / 2, color);
    }
    return this;
  }

  toPng(): Buffer {
    return encodePng(this.width, this.height, this.#pixels);
  }

  #paint(box: Box, cover: (x: number, y: number) => number, color: (x: number) => Color, opacity: number): this {
    const left = Math.max(0, Math.floor(box.x));
    const right = Math.min(this.width, Math.ceil(box.x + box.width));
    const bottom = Math.min(this.height, Math.ceil(box.y + box.height));
    const shades = Array.from({ length: Math.max(0, right - left) }, (_, index) => color(left + index + 0.5));
    for (let y = Math.max(0, Math.floor(box.y)); y < bottom; y += 1) {
      for (let x = left; x < right; x += 1) {
        const part = Math.min(1, cover(x + 0.5, y + 0.5)) * opacity;
        if (part > 0) this.#blend(x, y, shades[x - left] ?? black, part);
      }
    }
    return this;
  }

  #blend(x: number, y: number, color: Color, part: number): void {
    const at = (y * this.width + x) * 3;
    const pixels = this.#pixels;
    pixels[at] = mixByte(pixels[at] ?? 0, color[0], part);
    pixels[at + 1] = mixByte(pixels[at + 1] ?? 0, color[1], part);
    pixels[at + 2] = mixByte(pixels[at + 2] ?? 0, color[2], part);
  }
}

function mixByte(below: number, above: number, part: number): number {
  // The array would cut the fraction off.
  return below + (above - below) * part + 0.5;
}
