/** A value that must not be shown, from the environment or from a file that is read again when it changes. */
import { readFileSync, statSync } from 'node:fs';
import { inspect } from 'node:util';

const fileCheckMs = 1000;

/** A value that must not be shown. From a file, it is read again when the file changes (looked at once a second). */
export class Secret {
  readonly #read: () => string;

  constructor(source: string | { readonly file: string }) {
    this.#read = typeof source === 'string' ? () => source : rereading(source.file);
  }

  reveal(): string {
    return this.#read();
  }

  /** The elements of a secret that may hold several. */
  revealAll(): string[] {
    return this.#read()
      .split(/[,\n]/)
      .map((part) => part.trim())
      .filter((part) => part !== '');
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

function rereading(file: string): () => string {
  let value = readFileSync(file, 'utf8').trim();
  let version = versionOf(file);
  let lookedAt = Date.now();
  return () => {
    const now = Date.now();
    if (now - lookedAt < fileCheckMs) return value;
    lookedAt = now;
    try {
      const found = versionOf(file);
      if (found === version) return value;
      const next = readFileSync(file, 'utf8').trim();
      if (next !== '') [value, version] = [next, found];
    } catch {
      // One that is being replaced may be absent, or not ours to read yet: the last good one stays in force.
    }
    return value;
  };
}

/** Also of what a link leads to: Kubernetes and Vault exchange the link, and the new file may be as old as the one before. */
export function versionOf(file: string): string {
  const { ino, mtimeNs, size } = statSync(file, { bigint: true });
  return `${ino}:${mtimeNs}:${size}`;
}
