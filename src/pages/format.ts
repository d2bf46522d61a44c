/** Numbers and instants as people read them. Instants are absolute and in UTC; a script on the pages tells them relative to now. */
import { type Html, html } from './html.ts';

const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** 1536 → "1.5 KiB" */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = '';
  for (const next of units) {
    value /= 1024;
    unit = next;
    if (value < 1000) break;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** 1234567 → "1 234 567", with spaces that do not break. */
export function formatCount(count: number): string {
  return count < 10_000 ? String(count) : String(count).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** count(1, 'file') → "1 file" */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Milliseconds between two ISO instants; null where one is absent or not an instant. */
export function elapsed(from: string | null, to: string | null): number | null {
  if (from === null || to === null) return null;
  const milliseconds = Date.parse(to) - Date.parse(from);
  return Number.isNaN(milliseconds) || milliseconds < 0 ? null : milliseconds;
}

/** `<time>` with the minute shown and the whole instant in `datetime` and title; nothing for no instant. */
export function instant(iso: string | null): Html | null {
  if (iso === null) return null;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return html`<span>${iso}</span>`;
  const full = date.toISOString();
  const shown = `${full.slice(0, 10)} ${full.slice(11, 16)}`;
  return html`<time datetime="${full}" title="${full}">${shown}&nbsp;UTC</time>`;
}

/** A digest's first characters, the rest in its title. */
export function shortDigest(digest: string): Html {
  return html`<code title="${digest}">${digest.slice(0, 12)}</code>`;
}

export function shortCommit(commit: string): Html {
  const isSha = /^[0-9a-f]{40,64}$/.test(commit);
  return html`<code title="${commit}">${isSha ? commit.slice(0, 10) : commit}</code>`;
}
