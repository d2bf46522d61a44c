/** A log whose lines are all in the page: the browser folds, finds and scrolls; this marks what an address names. */
import type { LogView } from './log-view.ts';
import type { Selection } from './selection.ts';

export function wholeLog(log: HTMLElement): LogView {
  const groups = (): NodeListOf<HTMLDetailsElement> => log.querySelectorAll('details');
  return {
    hasGroups: groups().length > 0,
    onLines: () => undefined,
    foldAll: (isFolded) => groups().forEach((group) => (group.open = !isFolded)),
    show: ({ from, to }: Selection, focus) => {
      for (const line of log.querySelectorAll('.line.on')) line.classList.remove('on');
      let first: HTMLElement | null = null;
      for (let number = from; number <= Math.min(to, from + 10_000); number += 1) {
        const line = document.getElementById(`L${number}`);
        line?.classList.add('on');
        first ??= line;
      }
      const group = first?.closest('details');
      const header = first?.closest('summary');
      if (group != null && header === null) group.open = true;
      first?.scrollIntoView({ block: 'center' });
      if (focus) (header ?? first?.querySelector('a'))?.focus({ preventScroll: true });
    },
  };
}
