/** Logs of one JSON object a line, plain or `.gz`, read as a stream. */
import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { MirrorError } from '../errors.ts';

export type JsonLine = Readonly<Record<string, unknown>>;
export type OnFault = (fault: MirrorError) => void;

/** No line of ours is longer; what is, is no line. */
const longestLine = 1024 * 1024;

/**
 * A line that is no JSON object is passed over: cut by a full disk or a kill, it is one entry at the most.
 * @param onFault is told ERR_TREE_UNREADABLE, by default thrown, where the file breaks off or cannot be read, after all that could be
 */
export async function* jsonLines(file: string, onFault: OnFault = rethrow): AsyncGenerator<JsonLine> {
  try {
    let rest = '';
    const decoder = new StringDecoder('utf8');
    for await (const chunk of bytesOf(file)) {
      const lines = `${rest}${decoder.write(chunk)}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > longestLine) rest = '';
      yield* lines.flatMap(parseLine);
    }
    yield* parseLine(rest);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    onFault(new MirrorError('ERR_TREE_UNREADABLE', `${file}: ${why}`, {}, cause));
  }
}

function rethrow(fault: MirrorError): never {
  throw fault;
}

function bytesOf(file: string): AsyncIterable<Buffer> {
  const bytes = createReadStream(file);
  if (!file.endsWith('.gz')) return bytes;
  const gunzip = createGunzip();
  bytes.on('error', (error) => gunzip.destroy(error));
  return bytes.pipe(gunzip);
}

function parseLine(line: string): JsonLine[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? [value as JsonLine] : [];
  } catch {
    return [];
  }
}
