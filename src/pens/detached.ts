/**
 * The same text by itself. A part of a text keeps the whole of it in memory, which is a whole block of a log: for what is kept
 * beyond its line. Pure, and shared with the browser.
 */
export function detached(text: string): string {
  // What is joined is copied when a part of it is taken.
  return ` ${text}`.slice(1);
}
