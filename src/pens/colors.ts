/** What the numbers of a terminal's colours look like, and what of them can be read. Pure, and shared with the browser. */
import { rgb } from './pen.ts';

/** Of src/pages/assets/log.css: the panel, its ink, and the lightest ground that a line can have. */
export const panel = 0x10151c;
export const ink = 0xd7dde6;
export const selected = 0x2f290e;
/** The sixteen colours on a dark ground. */
const sixteen = [
  0x6b7684, 0xff7b81, 0x6fce8a, 0xe3b55b, 0x7fb0ff, 0xd79bf2, 0x5cc8d6, 0xc9d1db, 0x8b96a5, 0xff9ea3, 0x93e2a8,
  0xf5d27a, 0xa5c8ff, 0xe8bbfb, 0x86e1ec, 0xffffff,
] as const;

/** 24 bits of red, green, blue. @see https://invisible-island.net/xterm/xterm.faq.html (256 colours) */
export function colorOf(color: number): number {
  if (color >= rgb) return color - rgb;
  if (color < 16) return sixteen[color] ?? panel;
  if (color >= 232) return (8 + (color - 232) * 10) * 0x010101;
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = color - 16;
  return level(Math.floor(cube / 36)) * 65_536 + level(Math.floor(cube / 6) % 6) * 256 + level(cube % 6);
}

export function faded(color: number, ground: number): number {
  const behind = channels(ground);
  const [red, green, blue] = channels(color).map((channel, at) =>
    Math.round(channel * 0.85 + (behind[at] ?? 0) * 0.15),
  );
  return join(red ?? 0, green ?? 0, blue ?? 0);
}

/** Programs choose colours for a ground that they do not know: one that cannot be read on its ground is moved until it can. */
export function readable(color: number, ground: number): string {
  const isDark = luminance(ground) < 0.18;
  let [red, green, blue] = channels(color);
  // Away from nearest, or a channel would stand still before its end.
  const toward = (channel: number): number =>
    isDark ? Math.ceil(channel + (255 - channel) * 0.15) : Math.floor(channel * 0.85);
  for (let step = 0; step < 40 && contrast(join(red, green, blue), ground) < 4.5; step += 1) {
    [red, green, blue] = [toward(red), toward(green), toward(blue)];
  }
  return hex(join(red, green, blue));
}

function contrast(one: number, other: number): number {
  const [less, more] = [luminance(one), luminance(other)].toSorted((a, b) => a - b) as [number, number];
  return (more + 0.05) / (less + 0.05);
}

/** @see https://www.w3.org/TR/WCAG21/#dfn-relative-luminance */
function luminance(color: number): number {
  const [red, green, blue] = channels(color).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function channels(color: number): [number, number, number] {
  return [(color >> 16) & 255, (color >> 8) & 255, color & 255];
}

function join(red: number, green: number, blue: number): number {
  return red * 65_536 + green * 256 + blue;
}

export function hex(color: number): string {
  return `#${color.toString(16).padStart(6, '0')}`;
}
