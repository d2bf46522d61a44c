/**
 * The pen that a terminal writes with: colours, styles, a link. Pens never change; what sets a colour gives another one.
 * Pure, and shared with the browser.
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (SGR)
 */
import { detached } from './detached.ts';
import { addressOf } from './links.ts';

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
  const codes = parameters.split(';', 64);
  for (let at = 0; at < codes.length; at += 1) {
    const [code = 0, ...below] = (codes[at] ?? '').split(':').map(Number);
    if (code === 0) [foreground, background, styles] = [usual, usual, 0];
    else if (code === 38 || code === 48 || code === underlineColor) {
      const { color, used } =
        below.length > 0 ? ofColons(below) : ofSemicolons(codes.slice(at + 1, at + 5).map(Number));
      at += used;
      if (color !== null && code === 38) foreground = color;
      if (color !== null && code === 48) background = color;
    } else if (code >= 30 && code <= 37) foreground = code - 30;
    else if (code >= 90 && code <= 97) foreground = code - 82;
    else if (code >= 40 && code <= 47) background = code - 40;
    else if (code >= 100 && code <= 107) background = code - 92;
    else if (code === 39) foreground = usual;
    else if (code === 49) background = usual;
    // `4:0` ends an underline, `4:3` begins one that is a wave.
    else if (code === 4 && below[0] === 0) styles &= ~underlined;
    else styles = (styles & ~(offs[code] ?? 0)) | (switches[code] ?? 0);
  }
  return { ...pen, foreground, background, styles };
}

/** It is not shown, but the numbers behind it are its own. */
const underlineColor = 58;

interface Extended {
  readonly color: number | null;
  /** How many numbers belong to it beside its own. */
  readonly used: number;
}

/** `38;5;n` of the palette, `38;2;r;g;b` of all colours. */
function ofSemicolons([kind, first, second, third]: readonly number[]): Extended {
  if (kind === 5) return { color: isByte(first) ? first : null, used: 2 };
  if (kind !== 2) return { color: null, used: kind === undefined ? 0 : 1 };
  return { color: mixed(first, second, third), used: 4 };
}

/** `38:5:n`, `38:2:<space>:r:g:b` as ISO 8613-6 has it, and `38:2:r:g:b`, which is as usual. */
function ofColons([kind, ...rest]: readonly number[]): Extended {
  const [first, second, third] = rest.length >= 4 ? rest.slice(1) : rest;
  if (kind === 5) return { color: isByte(rest[0]) ? rest[0] : null, used: 0 };
  return { color: kind === 2 ? mixed(first, second, third) : null, used: 0 };
}

function mixed(red: number | undefined, green: number | undefined, blue: number | undefined): number | null {
  return isByte(red) && isByte(green) && isByte(blue) ? rgb + red * 65_536 + green * 256 + blue : null;
}

function isByte(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && value <= 255;
}

/** The sequences that a new terminal must be told to write with this pen. */
export function toSequences({ foreground, background, styles, link }: Pen): string {
  const codes = Object.entries(switches).flatMap(([code, bit]) => ((styles & bit) === 0 ? [] : [code]));
  if (foreground !== usual) codes.push(`38;${colorCode(foreground)}`);
  if (background !== usual) codes.push(`48;${colorCode(background)}`);
  const color = codes.length === 0 ? '' : `\u001b[${codes.join(';')}m`;
  return link === null ? color : `${color}\u001b]8;;${addressOf(link)}\u0007`;
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

const [mostPens, mostSteps] = [1024, 4096];

/**
 * Gives the same pen for the same colours and link, so that asking again costs a look-up. Bounded: where a log has more of
 * them, all is forgotten together, for a step is found by the very pen before it.
 */
export class PenCase {
  readonly #known = new Map<string, Pen>();
  readonly #next = new Map<Pen, Map<string, Pen>>();
  /** After one number, by the number. */
  readonly #styled = new Map<Pen, (Pen | undefined)[]>();
  /** In `#next`, all together. */
  #steps = 0;

  /** @param code one number below 100 */
  styled(pen: Pen, code: number): Pen {
    // What ends a colour is every second of them.
    if (code === 0 && pen.link === null) return plainPen;
    const known = this.#styled.get(pen)?.[code];
    if (known !== undefined) return known;
    const next = this.colored(pen, String(code));
    const after = this.#styled.get(pen) ?? [];
    after[code] = next;
    this.#styled.set(pen, after);
    return next;
  }

  colored(pen: Pen, parameters: string): Pen {
    const known = this.#next.get(pen)?.get(parameters);
    if (known !== undefined) return known;
    const next = this.#same(colored(pen, parameters));
    if (this.#steps >= mostSteps) this.#forget();
    this.#steps += 1;
    const after = this.#next.get(pen) ?? new Map<string, Pen>();
    this.#next.set(pen, after.set(detached(parameters), next));
    return next;
  }

  linked(pen: Pen, link: string | null): Pen {
    return pen.link === link ? pen : this.#same({ ...pen, link });
  }

  #same(pen: Pen): Pen {
    if (isSamePen(pen, plainPen)) return plainPen;
    const key = [pen.foreground, pen.background, pen.styles, pen.link].join(' ');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= mostPens) this.#forget();
    this.#known.set(key, pen);
    return pen;
  }

  #forget(): void {
    this.#known.clear();
    this.#next.clear();
    this.#styled.clear();
    this.#steps = 0;
  }
}
