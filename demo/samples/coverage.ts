/** Which lines ran, in the two forms that tools read: lcov's tracefile and Cobertura's XML. */
import { randomFrom } from './random.ts';

export interface CoveredFile {
  readonly path: string;
  /** Times each line ran; null for lines that hold no code. */
  readonly hits: readonly (number | null)[];
}

/** @param share of the lines that ran, 0 to 1 */
export function coverFiles(paths: readonly string[], seed: string, share: number): CoveredFile[] {
  return paths.map((path) => {
    const random = randomFrom(`${seed}/${path}`);
    const hits = Array.from({ length: random.whole(40, 160) }, () => {
      if (random.next() < 0.28) return null;
      return random.next() < share ? random.whole(1, 240) : 0;
    });
    return { path, hits };
  });
}

export function rateOf(files: readonly CoveredFile[]): number {
  const code = files.flatMap((file) => file.hits).filter((hits) => hits !== null);
  return code.length === 0 ? 1 : code.filter((hits) => hits > 0).length / code.length;
}

export function lcov(files: readonly CoveredFile[]): Buffer {
  const records = files.map(({ path, hits }) => {
    const lines = codeLines(hits);
    const data = lines.map(([line, times]) => `DA:${line},${times}`).join('\n');
    const hit = lines.filter(([, times]) => times > 0).length;
    return `TN:\nSF:${path}\nFNF:0\nFNH:0\n${data}\nLF:${lines.length}\nLH:${hit}\nend_of_record\n`;
  });
  return Buffer.from(records.join(''));
}

/** @param ranAt milliseconds since 1970 */
export function cobertura(files: readonly CoveredFile[], ranAt: number): Buffer {
  const classes = files.map((file) => {
    const lines = codeLines(file.hits).map(([line, times]) => `            <line number="${line}" hits="${times}"/>`);
    const name = file.path.replace(/^src\//, '').replaceAll('/', '.');
    const rate = rateOf([file]).toFixed(4);
    return `        <class name="${name}" filename="${file.path}" line-rate="${rate}" branch-rate="0" complexity="0">
          <methods/>
          <lines>\n${lines.join('\n')}\n          </lines>\n        </class>`;
  });
  const rate = rateOf(files).toFixed(4);
  return Buffer.from(`<?xml version="1.0"?>
<!DOCTYPE coverage SYSTEM "http://cobertura.sourceforge.net/xml/coverage-04.dtd">
<coverage line-rate="${rate}" branch-rate="0" complexity="0" version="1.9" timestamp="${ranAt}">
  <sources><source>.</source></sources>
  <packages>
    <package name="api" line-rate="${rate}" branch-rate="0" complexity="0">
      <classes>\n${classes.join('\n')}\n      </classes>
    </package>
  </packages>
</coverage>
`);
}

function codeLines(hits: readonly (number | null)[]): [line: number, times: number][] {
  return hits.flatMap((times, index): [number, number][] => (times === null ? [] : [[index + 1, times]]));
}
