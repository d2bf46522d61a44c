/** `#L120` and `#L120-L140`: the lines that an address names. */

export interface Selection {
  readonly from: number;
  readonly to: number;
}

export function selectionOf(hash: string): Selection | null {
  const [, first, last = first] = /^#L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(hash) ?? [];
  if (first === undefined) return null;
  const [one, other] = [Number(first), Number(last)];
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

export function hashOf({ from, to }: Selection): string {
  return from === to ? `#L${from}` : `#L${from}-L${to}`;
}

/** With the shift key a click on a line's number stretches what is selected to it. @returns null where it is no such click */
export function selectionAfter(click: MouseEvent, before: Selection | null): Selection | null {
  const link = click.target instanceof Element ? click.target.closest<HTMLAnchorElement>('.line > a, a.over') : null;
  const clicked = link === null ? null : selectionOf(link.hash);
  if (clicked === null || click.ctrlKey || click.metaKey || click.button !== 0) return null;
  if (!click.shiftKey || before === null) return clicked;
  return { from: Math.min(before.from, clicked.from), to: Math.max(before.to, clicked.to) };
}
