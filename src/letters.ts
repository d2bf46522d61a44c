/** For what is found whatever the size of its letters. Pure, and shared with the browser. */

/** In small letters, each in its place: `İ` alone has a small form that is longer, and stays as it is. */
export function inSmallLetters(text: string): string {
  return text
    .split('İ')
    .map((part) => part.toLowerCase())
    .join('İ');
}
