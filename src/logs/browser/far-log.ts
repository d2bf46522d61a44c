/** A log that is too long for a page: only the lines that are looked at are in it, whatever the log's size. */
import { plainPen } from '../../pens/pen.ts';
import { chunkOf } from '../chunks.ts';
import { headerHtml } from '../headers.ts';
import type { LogIndex } from '../index-format.ts';
import { type Line, lineHtml } from '../line-html.ts';
import { RowMap } from '../rows.ts';
import { ChunkStore } from './chunk-store.ts';
import type { LogView } from './log-view.ts';
import { TallScroller } from './scrolling.ts';
import type { Selection } from './selection.ts';

const rowHeight = 20;
/** Rows that are ready above and below those that are seen. */
const spare = 40;

export function farLog(log: HTMLElement, index: LogIndex, tell: (message: string) => void): LogView {
  const map = new RowMap(index.lines, index.groups, index.pictures);
  const headers = new Map(index.groups.map((group, at) => [group.line, at]));
  const listeners: (() => void)[] = [];
  let selected: Selection | null = null;
  let shown = { first: -1, last: -1 };
  const layer = document.createElement('div');
  const spacer = document.createElement('div');
  layer.className = 'layer';
  spacer.className = 'spacer';
  spacer.append(layer);
  log.classList.add('far');
  log.replaceChildren(spacer);
  const store = new ChunkStore(index, '../log.txt', () => draw(true), tell);
  const scroller = new TallScroller(log, spacer, () => draw(false));

  function draw(anew: boolean): void {
    const first = Math.max(0, Math.floor(scroller.top / rowHeight));
    const last = Math.min(map.rows, Math.ceil((scroller.top + log.clientHeight) / rowHeight));
    const isReady = first >= shown.first && last <= shown.last;
    if (anew || !isReady) fill(Math.max(0, first - spare), Math.min(map.rows, last + spare));
    layer.style.transform = `translateY(${scroller.shift + map.rowOf(map.lineAt(shown.first)) * rowHeight}px)`;
  }

  function fill(first: number, last: number): void {
    shown = { first, last };
    const wanted = new Set<number>();
    let html = '';
    const from = map.lineAt(first);
    for (let line = from; line <= index.lines && map.rowOf(line) < last; line = map.after(line)) {
      const chunk = chunkOf(index, line);
      const known = store.get(chunk)?.[line - 1 - (index.before[chunk] ?? 0)] ?? foldedHeader(line);
      if (known === undefined) wanted.add(chunk);
      html += known === undefined ? waiting(line) : rowHtml(line, known);
    }
    const focused = document.activeElement?.closest<HTMLElement>('.line')?.id;
    layer.innerHTML = html;
    mark();
    if (focused !== undefined && document.activeElement === document.body) focusIn(focused);
    store.want(wanted);
    for (const listener of listeners) listener();
  }

  /** The index knows what a header says: of a group that is folded nothing else need be read. */
  function foldedHeader(line: number): Line | undefined {
    const group = index.groups[headers.get(line) ?? -1];
    if (group === undefined || !map.isFolded(line)) return undefined;
    return { runs: [{ text: `${group.kind.repeat(3)} ${group.title}`, pen: plainPen }], time: group.time };
  }

  function rowHtml(line: number, content: Line): string {
    const at = headers.get(line);
    const group = at === undefined ? undefined : index.groups[at];
    if (at === undefined || group === undefined) return lineHtml(content, line);
    const isFolded = map.isFolded(line);
    const button = `<button class="fold" aria-expanded="${!isFolded}" aria-label="Lines of this group"></button>`;
    const html = lineHtml(content, line, group.kind === '~' ? ' group quietly' : ' group', button);
    return headerHtml(html, index, at);
  }

  function mark(): void {
    if (selected === null) return;
    const from = Math.max(selected.from, map.lineAt(shown.first));
    for (let line = from; line <= selected.to && map.rowOf(line) <= shown.last; line = map.after(line)) {
      document.getElementById(`L${line}`)?.classList.add('on');
    }
  }

  function fold(header: number, isFolded: boolean): void {
    const above = map.rowOf(header) * rowHeight - scroller.top;
    map.fold(header, isFolded);
    shown = { first: -1, last: -1 };
    scroller.resize(map.rows * rowHeight);
    scroller.goTo(map.rowOf(header) * rowHeight - above);
    draw(true);
  }

  log.addEventListener('click', ({ target }) => {
    const row = target instanceof Element ? target.closest<HTMLElement>('.line.group') : null;
    if (row === null || (target instanceof Element && target.closest('a') !== null)) return;
    const header = Number(row.id.slice(1));
    fold(header, !map.isFolded(header));
    focusIn(row.id);
  });
  /** All of it is in the window, below what stands above it. */
  const fit = (): void => {
    const above = log.getBoundingClientRect().top + scrollY;
    log.style.height = `${Math.max(260, innerHeight - above - 14)}px`;
    scroller.resize(map.rows * rowHeight);
  };
  addEventListener('resize', fit);
  if (log.previousElementSibling !== null) new ResizeObserver(fit).observe(log.previousElementSibling);
  fit();
  draw(true);

  return {
    hasGroups: index.groups.length > 0,
    onLines: (listener) => void listeners.push(listener),
    foldAll: (isFolded) => {
      const line = map.lineAt(Math.floor(scroller.top / rowHeight));
      map.foldAll(isFolded);
      scroller.resize(map.rows * rowHeight);
      scroller.goTo(map.rowOf(line) * rowHeight);
      draw(true);
    },
    show: (selection, focus) => {
      const from = Math.max(1, Math.min(selection.from, index.lines));
      selected = { from, to: Math.min(selection.to, index.lines) };
      const group = map.groupOf(from);
      if (group !== undefined && group.line !== from && map.isFolded(group.line)) fold(group.line, false);
      scroller.goTo(map.rowOf(from) * rowHeight - log.clientHeight / 2);
      draw(true);
      if (focus) log.focus({ preventScroll: true });
    },
  };
}

/** Before its bytes have come. */
function waiting(line: number): string {
  return `<div class="line waits" id="L${line}"><a href="#L${line}">${line}</a><span>…</span></div>`;
}

function focusIn(id: string): void {
  const row = document.getElementById(id);
  (row?.querySelector<HTMLElement>('.fold') ?? row?.querySelector('a'))?.focus({ preventScroll: true });
}
