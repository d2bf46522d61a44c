/** Screenshots of a shop that never was: four pages in two designs, and the charts of a report. */
import { Canvas, type Color, mix } from './canvas.ts';
import { randomFrom } from './random.ts';

export type Design = 'classic' | 'redesign';
export type Screen = 'home' | 'cart' | 'checkout' | 'confirmation';

interface Theme {
  readonly from: Color;
  readonly to: Color;
  readonly page: Color;
  readonly ink: Color;
}

const themes: Readonly<Record<Design, Theme>> = {
  classic: { from: [37, 99, 235], to: [14, 165, 233], page: [244, 246, 251], ink: [30, 41, 59] },
  redesign: { from: [124, 58, 237], to: [236, 72, 153], page: [250, 246, 255], ink: [46, 16, 101] },
};

const goods: readonly (readonly [Color, Color])[] = [
  [
    [251, 191, 36],
    [249, 115, 22],
  ],
  [
    [52, 211, 153],
    [5, 150, 105],
  ],
  [
    [96, 165, 250],
    [79, 70, 229],
  ],
  [
    [244, 114, 182],
    [190, 24, 93],
  ],
];

const made = new Map<string, Buffer>();

/** A PNG of 720 × 450 pixels. Drawn once. */
export function screenshot(screen: Screen, design: Design): Buffer {
  return once(`${screen}/${design}`, () => {
    const theme = themes[design];
    const canvas = new Canvas(720, 450, theme.page, mix(theme.page, theme.to, 0.06));
    drawHeader(canvas, theme);
    drawings[screen](canvas, theme);
    return canvas;
  });
}

/** What differs between two screenshots, as test runners show it. */
export function differenceImage(screen: Screen): Buffer {
  return once(`${screen}/difference`, () => {
    const canvas = new Canvas(720, 450, [250, 250, 250]);
    drawHeader(canvas, { ...themes.classic, from: [225, 225, 225], to: [235, 235, 235] });
    drawings[screen](canvas, { ...themes.classic, from: [200, 200, 200], to: [215, 215, 215] });
    canvas.box({ x: 470, y: 286, width: 186, height: 42 }, 4, [255, 0, 102], [255, 0, 102], 0.75);
    return canvas.box({ x: 64, y: 250, width: 300, height: 10 }, 2, [255, 0, 102], [255, 0, 102], 0.75);
  });
}

/** A line over its shaded area; `seed` decides its course. */
export function chart(seed: string, design: Design): Buffer {
  return once(`chart/${seed}/${design}`, () => {
    const { from, to, ink } = themes[design];
    const canvas = new Canvas(720, 280, [255, 255, 255]);
    for (let y = 40; y <= 240; y += 40) canvas.line(40, y, 690, y, 1, [229, 231, 240]);
    const random = randomFrom(seed);
    let level = 150;
    let [lastX, lastY] = [40, level];
    for (let x = 66; x <= 690; x += 26) {
      level = Math.min(220, Math.max(50, level - 3 + (random.next() - 0.5) * 44));
      for (let column = lastX; column < x; column += 1) {
        const top = lastY + ((level - lastY) * (column - lastX)) / (x - lastX);
        canvas.box({ x: column, y: top, width: 1, height: 240 - top }, 0, mix(from, to, column / 720), undefined, 0.16);
      }
      canvas.line(lastX, lastY, x, level, 3, mix(from, to, x / 720)).disc(x, level, 4, mix(from, to, x / 720));
      [lastX, lastY] = [x, level];
    }
    return canvas.line(40, 240, 690, 240, 2, mix(ink, [255, 255, 255], 0.5));
  });
}

function once(key: string, draw: () => Canvas): Buffer {
  let image = made.get(key);
  if (image === undefined) {
    image = draw().toPng();
    made.set(key, image);
  }
  return image;
}

const white: Color = [255, 255, 255];

function drawHeader(canvas: Canvas, { from, to }: Theme): void {
  canvas.box({ x: 0, y: 0, width: canvas.width, height: 56 }, 0, from, to);
  canvas.disc(36, 28, 12, white).box({ x: 58, y: 22, width: 92, height: 12 }, 6, white);
  for (const x of [430, 500, 570]) canvas.box({ x, y: 24, width: 48, height: 8 }, 4, white, white, 0.7);
  canvas.disc(680, 28, 14, mix(from, white, 0.55));
}

const drawings: Readonly<Record<Screen, (canvas: Canvas, theme: Theme) => void>> = {
  home(canvas, { from, to, ink }) {
    canvas.box({ x: 40, y: 80, width: 640, height: 130 }, 16, mix(from, white, 0.1), to);
    canvas.text(68, 106, [260, 190], white, 14).box({ x: 68, y: 168, width: 104, height: 26 }, 13, white);
    canvas.disc(590, 146, 44, mix(to, white, 0.45), mix(from, white, 0.7));
    for (const [index, [left, right]] of goods.entries()) {
      const x = 40 + index * 163;
      canvas.card({ x, y: 236, width: 150, height: 180 });
      canvas.box({ x: x + 12, y: 248, width: 126, height: 92 }, 8, mix(left, white, 0.75), mix(right, white, 0.6));
      canvas.disc(x + 75, 294, 28, left, right).text(x + 14, 356, [96, 60]);
      canvas.box({ x: x + 14, y: 392, width: 44, height: 12 }, 6, ink);
    }
  },
  cart(canvas, { from, to, ink }) {
    canvas.card({ x: 40, y: 84, width: 400, height: 330 }).text(64, 106, [120], ink, 14);
    for (const [index, [left, right]] of goods.slice(0, 3).entries()) {
      const y = 144 + index * 86;
      canvas.box({ x: 64, y, width: 66, height: 66 }, 10, mix(left, white, 0.7), mix(right, white, 0.6));
      canvas.disc(97, y + 33, 20, left, right).text(150, y + 12, [150, 90, 54]);
      canvas.box({ x: 366, y: y + 22, width: 50, height: 22 }, 11, [238, 240, 247]);
    }
    drawSummary(canvas, from, to, ink);
  },
  checkout(canvas, { from, to, ink }) {
    canvas.card({ x: 40, y: 84, width: 400, height: 330 });
    canvas.line(90, 118, 390, 118, 3, [222, 226, 238]).line(90, 118, 240, 118, 3, from);
    for (const [index, x] of [90, 240, 390].entries()) canvas.disc(x, 118, 12, index < 2 ? from : [222, 226, 238]);
    for (let row = 0; row < 4; row += 1) {
      const y = 156 + row * 62;
      canvas.text(64, y, [70 + row * 14], ink, 8);
      canvas.box({ x: 64, y: y + 16, width: 352, height: 32 }, 8, mix(from, white, row === 1 ? 0.3 : 0.82));
      canvas.box({ x: 65.5, y: y + 17.5, width: 349, height: 29 }, 7, white).text(78, y + 28, [120 - row * 18]);
    }
    drawSummary(canvas, from, to, ink);
  },
  confirmation(canvas, { from, to, ink }) {
    canvas.card({ x: 180, y: 96, width: 360, height: 310 });
    canvas.disc(360, 180, 46, [52, 211, 153], [5, 150, 105]);
    canvas.line(340, 181, 355, 196, 7, white).line(355, 196, 382, 166, 7, white);
    canvas.text(270, 252, [180], ink, 14).text(240, 288, [240, 200]);
    canvas.box({ x: 290, y: 344, width: 140, height: 34 }, 17, from, to);
  },
};

function drawSummary(canvas: Canvas, from: Color, to: Color, ink: Color): void {
  canvas.card({ x: 464, y: 84, width: 216, height: 262 }).text(484, 106, [90], ink, 12);
  for (let row = 0; row < 4; row += 1) {
    canvas.text(484, 144 + row * 28, [80 - row * 9]).text(616, 144 + row * 28, [40]);
  }
  canvas.line(484, 258, 660, 258, 1, [222, 226, 238]).box({ x: 484, y: 290, width: 176, height: 36 }, 18, from, to);
}
