/** The other side: what people use to fetch many files, with the sums that the mirror takes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer, peers, runToEnd } from './children.ts';
import type { BenchFile } from './files.ts';

export interface Fetcher {
  readonly name: string;
  /** Writes what it will be told (lists of links), which is not part of its time. */
  prepare(files: readonly BenchFile[], folder: string): void;
  /** @param folder empty; gets the files under their paths @returns what can be told of its parts, in ms */
  fetch(files: readonly BenchFile[], folder: string, signal: AbortSignal): Promise<Record<string, number>>;
}

export const connections = 16;

/** @returns why there is none, where there is none */
export function aria2c(path: string): Fetcher | string {
  const peer = findPeer(peers.aria2c, path);
  if ('missing' in peer) return peer.missing;
  const options = [
    '--no-conf',
    '--quiet',
    `-j${connections}`,
    '-x1',
    '-s1',
    '--file-allocation=none',
    '--disk-cache=64M',
    '--summary-interval=0',
    '--download-result=hide',
    '--allow-overwrite=true',
  ];
  return {
    name: `aria2c -j${connections}, SHA-1 checked`,
    prepare: (files, folder) => {
      const lines = files.map(({ url, path, sha1 }) => `${url}\n  out=${path}\n  checksum=sha-1=${sha1}\n`);
      writeFileSync(listOf(folder, 'aria2c'), lines.join(''));
    },
    fetch: (_files, folder, signal) =>
      timed({ all: () => runToEnd(peer.found, [...options, `-d${folder}`, `-i${listOf(folder, 'aria2c')}`], signal) }),
  };
}

/** @returns why there is none, where there is none */
export function curl(path: string): Fetcher | string {
  const peer = findPeer(peers.curl, path);
  if ('missing' in peer) return peer.missing;
  const common = ['-q', '-sSf'];
  return {
    name: `curl --parallel (${connections}), then sha1sum -c and sha256sum`,
    prepare: (files, folder) => {
      const targets = files.map(({ url, path }) => `url = "${url}"\noutput = "${join(folder, path)}"\n`);
      writeFileSync(listOf(folder, 'curl'), targets.join(''));
      writeFileSync(listOf(folder, 'sha1'), files.map(({ sha1, path }) => `${sha1}  ${join(folder, path)}\n`).join(''));
    },
    fetch: (files, folder, signal) => {
      const parallel = ['--parallel', '--parallel-max', String(connections), '--create-dirs'];
      return timed({
        curl: () => runToEnd(peer.found, [...common, ...parallel, '-K', listOf(folder, 'curl')], signal),
        sha1sum: () => runToEnd('sha1sum', ['--check', '--status', listOf(folder, 'sha1')], signal),
        sha256sum: () =>
          runToEnd(
            'sha256sum',
            files.map((file) => join(folder, file.path)),
            signal,
          ),
      });
    },
  };
}

/** One file after the other: what a shell script does. @returns why there is none, where there is none */
export function curlAlone(path: string): Fetcher | string {
  const peer = findPeer(peers.curl, path);
  if ('missing' in peer) return peer.missing;
  return {
    name: 'curl -o, then sha1sum and sha256sum',
    prepare: () => undefined,
    fetch: async ([file], folder, signal) => {
      if (file === undefined) throw new RangeError('no file to fetch');
      const target = join(folder, file.path);
      return timed({
        curl: () => runToEnd(peer.found, ['-q', '-sSf', '--create-dirs', '-o', target, file.url], signal),
        sha1sum: () => runToEnd('sha1sum', [target], signal),
        sha256sum: () => runToEnd('sha256sum', [target], signal),
      });
    },
  };
}

/** Lists lie beside the folder, so that it holds the files alone. */
function listOf(folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  return `${folder}.${name}`;
}

async function timed(steps: Record<string, () => Promise<void>>): Promise<Record<string, number>> {
  const times: Record<string, number> = {};
  for (const [name, step] of Object.entries(steps)) {
    const startedAt = performance.now();
    await step();
    times[name] = performance.now() - startedAt;
  }
  return times;
}
