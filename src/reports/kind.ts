/** What an artifact is to a reader, by its path: how it can be shown. Pure. */

export type Kind =
  | 'image'
  | 'video'
  | 'audio'
  | 'markdown'
  | 'json'
  | 'html'
  | 'lcov'
  /** JUnit, Cobertura or any other: its content decides. */
  | 'xml'
  | 'text'
  /** Nothing that a page can show. */
  | 'binary';

const byEnding: readonly (readonly [Kind, string])[] = [
  ['image', 'png jpg jpeg gif webp avif bmp ico svg apng'],
  ['video', 'mp4 m4v webm ogv mov'],
  ['audio', 'mp3 m4a ogg oga opus wav flac aac'],
  ['markdown', 'md markdown mdown'],
  ['json', 'json map geojson sarif webmanifest'],
  ['html', 'html htm xhtml'],
  ['lcov', 'info lcov'],
  ['xml', 'xml xunit junit trx'],
  [
    'binary',
    'zip gz tgz bz2 xz zst br 7z rar tar jar war whl gem deb rpm apk ipa dmg exe dll so dylib o a class pyc wasm pdf doc ' +
      'docx xls xlsx ppt pptx woff woff2 ttf otf eot sqlite db parquet avro pb bin dat iso img heic tiff psd',
  ],
];
const kinds = new Map(
  byEnding.flatMap(([kind, endings]) => endings.split(' ').map((ending) => [ending, kind] as const)),
);

/** What has no ending that is known may be text; its first bytes tell. */
export function kindOf(path: string): Kind {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const cut = name.lastIndexOf('.');
  return (cut === -1 ? undefined : kinds.get(name.slice(cut + 1))) ?? 'text';
}

/** Whether bytes are text to be read: UTF-8 without a NUL. @param isCut whether the bytes may end within a character */
export function isText(bytes: Uint8Array, isCut: boolean): boolean {
  if (bytes.includes(0)) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
    return true;
  } catch {
    return false;
  }
}
