/**
 * The pen that a terminal writes with: colours, styles, a link. Pens never change; what sets a colour gives another one.
 * Pure, and shared with the browser.
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (SGR)
 */

/** Bits of `styles`. */
export const bold = 1;
export const faint = 2;
export const italic = 4;
export const underlined = 8;
export const inverse = 16;
export const struck = 32;

/** A picture that stands in one cell. `source` is safe to load: a data URL of a raster type, or an address of this site. */
export interface Picture {
  readonly source: string;
  readonly alternative: string;
}

/** Colours: -1 the usual one, 0 to 255 of the palette, from `rgb` on 24 bits of red, green and blue. */
export interface Pen {
  readonly foreground: number;
  readonly background: number;
  readonly styles: number;
  /** An address that is safe to lead to. */
  readonly link: string | null;
  readonly picture: Picture | null;
}

export const rgb = 0x1000000;
export const usual = -1;
export const plainPen: Pen = { foreground: usual, background: usual, styles: 0, link: null, picture: null };

const switches: Readonly<Record<number, number>> = {
  1: bold,
  2: faint,
  3: italic,
  4: underlined,
  7: inverse,
  9: struck,
};
const offs: Readonly<Record<number, number>> = {
  21: bold,
  22: bold | faint,
  23: italic,
  24: underlined,
  27: inverse,
  29: struck,
};

/** @param parameters of `CSI … m`: numbers between `;`, sub-parameters between `:`; what is unknown changes nothing */
function colored(pen: Pen, parameters: string): Pen {
  let { foreground, background, styles } = pen;
  const codes = parameters.split(/[;:]/, 64).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) [foreground, background, styles] = [usual, usual, 0];
    else if (code === 38 || code === 48) {
      const { color, used } = extended(codes, at + 1);
      at += used;
      if (color === null) continue;
      if (code === 38) foreground = color;
      else background = color;
    } else if (code >= 30 && code <= 37) foreground = code - 30;
    else if (code >= 90 && code <= 97) foreground = code - 82;
    else if (code >= 40 && code <= 47) background = code - 40;
    else if (code >= 100 && code <= 107) background = code - 92;
    else if (code === 39) foreground = usual;
    else if (code === 49) background = usual;
    else styles = (styles & ~(offs[code] ?? 0)) | (switches[code] ?? 0);
  }
  return { ...pen, foreground, background, styles };
}

/** `5;n` of the palette, `2;r;g;b` of all colours. @returns how many numbers belong to it */
function extended(codes: readonly number[], at: number): { color: number | null; used: number } {
  const [kind, ...rest] = codes.slice(at, at + 4);
  const isByte = (value: number | undefined): value is number => value !== undefined && value >= 0 && value <= 255;
  const [first, second, third] = rest;
  if (kind === 5) return { color: isByte(first) ? first : null, used: 2 };
  if (kind !== 2) return { color: null, used: kind === undefined ? 0 : 1 };
  const isColor = isByte(first) && isByte(second) && isByte(third);
  return { color: isColor ? rgb + first * 65_536 + second * 256 + third : null, used: 4 };
}

/** The sequences that a new terminal must be told to write with this pen. */
export function toSequences({ foreground, background, styles, link }: Pen): string {
  const codes = Object.entries(switches).flatMap(([code, bit]) => ((styles & bit) === 0 ? [] : [code]));
  if (foreground !== usual) codes.push(`38;${colorCode(foreground)}`);
  if (background !== usual) codes.push(`48;${colorCode(background)}`);
  const color = codes.length === 0 ? '' : `\u001b[${codes.join(';')}m`;
  return link === null ? color : `${color}\u001b]8;;${link}\u0007`;
}

function colorCode(color: number): string {
  if (color < rgb) return `5;${color}`;
  return `2;${(color >> 16) & 255};${(color >> 8) & 255};${color & 255}`;
}

export function isSamePen(left: Pen, right: Pen): boolean {
  if (left === right) return true;
  return (
    left.foreground === right.foreground &&
    left.background === right.background &&
    left.styles === right.styles &&
    left.link === right.link &&
    left.picture === right.picture
  );
}

const mostPens = 1024;

/** Gives the same pen for the same colours, so that asking again costs a look-up. */
export class PenCase {
  readonly #known = new Map<string, Pen>();
  readonly #next = new Map<Pen, Map<string, Pen>>();
  /** After one number, by the number. */
  readonly #styled = new Map<Pen, (Pen | undefined)[]>();

  /** @param code one number below 100 */
  styled(pen: Pen, code: number): Pen {
    // What ends a colour is every second of them.
    if (code === 0 && pen.link === null) return plainPen;
    const known = this.#styled.get(pen)?.[code];
    if (known !== undefined) return known;
    const next = this.colored(pen, String(code));
    const after = this.#styled.get(pen) ?? Array.from<Pen | undefined>({ length: 100 });
    after[code] = next;
    this.#styled.set(pen, after);
    return next;
  }

  colored(pen: Pen, parameters: string): Pen {
    const known = this.#next.get(pen)?.get(parameters);
    if (known !== undefined) return known;
    if (this.#known.size > mostPens) {
      this.#known.clear();
      this.#next.clear();
      this.#styled.clear();
    }
    const next = this.#same(colored(pen, parameters));
    const after = this.#next.get(pen) ?? new Map<string, Pen>();
    if (after.size < mostPens) this.#next.set(pen, after.set(parameters, next));
    return next;
  }

  #same(pen: Pen): Pen {
    if (isSamePen(pen, plainPen)) return plainPen;
    const key = [pen.foreground, pen.background, pen.styles, pen.link].join(' ');
    const known = this.#known.get(key) ?? pen;
    this.#known.set(key, known);
    return known;
  }
}
