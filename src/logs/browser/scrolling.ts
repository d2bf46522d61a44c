/**
 * A scroller for more rows than a browser can make an element high (some 16 million pixels): the bar tells the part of the way, and
 * a small move of it moves the rows by as many pixels. When it rests, the bar is put where the rows are.
 */

const tallest = 8_000_000;
const restsAfterMs = 120;

export class TallScroller {
  readonly #box: HTMLElement;
  readonly #spacer: HTMLElement;
  readonly #onMove: () => void;
  #height = 0;
  /** Of the rows, in pixels: where the window's upper edge is. */
  #top = 0;
  #last = 0;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(box: HTMLElement, spacer: HTMLElement, onMove: () => void) {
    this.#box = box;
    this.#spacer = spacer;
    this.#onMove = onMove;
    box.addEventListener('scroll', () => this.#moved(), { passive: true });
  }

  get top(): number {
    return this.#top;
  }

  /** Where the rows' upper edge belongs within the spacer. */
  get shift(): number {
    return this.#last - this.#top;
  }

  /** @param height of all rows, in pixels */
  resize(height: number): void {
    this.#height = height;
    this.#spacer.style.height = `${Math.min(height, tallest)}px`;
    this.goTo(this.#top);
  }

  goTo(top: number): void {
    this.#top = Math.max(0, Math.min(top, this.#furthest));
    this.#settle();
  }

  get #furthest(): number {
    return Math.max(0, this.#height - this.#box.clientHeight);
  }

  get #barFurthest(): number {
    return Math.max(0, Math.min(this.#height, tallest) - this.#box.clientHeight);
  }

  #settle(): void {
    const part = this.#furthest === 0 ? 0 : this.#top / this.#furthest;
    this.#last = Math.round(this.#height <= tallest ? this.#top : part * this.#barFurthest);
    this.#box.scrollTop = this.#last;
    this.#last = this.#box.scrollTop;
    this.#onMove();
  }

  #moved(): void {
    const now = this.#box.scrollTop;
    const by = now - this.#last;
    if (by === 0) return;
    const isFar = this.#height > tallest && Math.abs(by) > 2 * this.#box.clientHeight;
    const isEnd = now <= 0 || now >= this.#barFurthest - 1;
    if (isFar) this.#top = (now / Math.max(1, this.#barFurthest)) * this.#furthest;
    else this.#top += by;
    // The bar's own ends are reached before the rows' where these are more: it moves on from where it belongs.
    this.#top = Math.max(0, Math.min(this.#top, this.#furthest));
    this.#last = now;
    this.#onMove();
    clearTimeout(this.#rest);
    if (this.#height > tallest) this.#rest = setTimeout(() => this.#settle(), isEnd && !isFar ? 0 : restsAfterMs);
  }
}
