/** Faults on request: what goes wrong, where, and how often. */
import type { Bytes, Content } from './bytes.ts';
import { bytesOf } from './bytes.ts';
import type { ArtifactFault } from './graphql-faults.ts';

/** Where a request was answered; the first three share one address. */
export type Side = 'api' | 'graphql' | 'portal' | 'storage';

export type FaultKind =
  /** Only where GraphQL is answered. */
  | ArtifactFault
  /** 200 with errors and no data. */
  | { readonly kind: 'graphqlErrors'; readonly message?: string }
  /** Another status; 429 with the documented body (`seconds`: its `reset`). */
  | { readonly kind: 'status'; readonly status: number; readonly seconds?: number }
  /** The connection is reset after that many bytes of the body; without a number, before any answer. */
  | { readonly kind: 'reset'; readonly afterBytes?: number }
  /** The connection ends after that many bytes of the body, short of what was announced. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Nothing more comes after that many bytes of the body; without a number, no answer at all. */
  | { readonly kind: 'hang'; readonly afterBytes?: number }
  | { readonly kind: 'drip'; readonly bytesPerSecond: number }
  /** The same number of bytes, one of them another (`byte`: which; the middle one unless told). */
  | { readonly kind: 'corrupt'; readonly byte?: number }
  /** Properly ended, but with so many bytes more or less. */
  | { readonly kind: 'resize'; readonly by: number }
  /** Other bytes altogether, as of an object that was replaced after it was listed. */
  | { readonly kind: 'replace'; readonly content: Content }
  /** Leads elsewhere; `self`: here again, so that `times` makes a chain. */
  | { readonly kind: 'redirect'; readonly to: string }
  /** JSON that ends in its middle. */
  | { readonly kind: 'malformed' }
  /** A page of HTML with status 200, as proxies in between send. */
  | { readonly kind: 'html' }
  /** The storage says that the link's time is over. */
  | { readonly kind: 'expired' };

export type FaultRule = FaultKind & {
  readonly at: Side;
  /** Tried on the path, decoded, without the query; a string must be contained in it. Without it: any. */
  readonly path?: RegExp | string;
  /** How often (default once). */
  readonly times?: number;
  /** So many matching requests pass first. */
  readonly after?: number;
};

export interface FaultHandle {
  readonly hits: number;
  remove(): void;
}

interface Armed {
  readonly rule: FaultRule;
  seen: number;
  hits: number;
}

export class Faults {
  #armed: Armed[] = [];

  add(rule: FaultRule): FaultHandle {
    const armed: Armed = { rule, seen: 0, hits: 0 };
    this.#armed.push(armed);
    return {
      get hits() {
        return armed.hits;
      },
      remove: () => {
        this.#armed = this.#armed.filter((each) => each !== armed);
      },
    };
  }

  clear(): void {
    this.#armed = [];
  }

  /** The fault of this request, counted; the one that was added first wins. */
  take(at: Side, path: string): FaultKind | null {
    if (this.#armed.length === 0) return null;
    const plain = decoded(path);
    for (const armed of this.#armed) {
      const { rule } = armed;
      if (rule.at !== at || (rule.path !== undefined && !matches(rule.path, plain))) continue;
      armed.seen += 1;
      if (armed.seen <= (rule.after ?? 0) || armed.hits >= (rule.times ?? 1)) continue;
      armed.hits += 1;
      return rule;
    }
    return null;
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (fault) {
    if (fault instanceof URIError) return path;
    throw fault;
  }
}

function matches(pattern: RegExp | string, path: string): boolean {
  return typeof pattern === 'string' ? path.includes(pattern) : new RegExp(pattern.source, pattern.flags).test(path);
}

/** A body as the fault leaves it; applied to the whole object, before a range is cut from it. */
export function distort(bytes: Bytes, fault: FaultKind | null): Bytes {
  switch (fault?.kind) {
    case 'corrupt':
      return corrupted(bytes, fault.byte ?? Math.floor(bytes.size / 2));
    case 'resize':
      return resized(bytes, Math.max(0, bytes.size + fault.by));
    case 'replace':
      return bytesOf(fault.content);
    default:
      return bytes;
  }
}

function corrupted(bytes: Bytes, at: number): Bytes {
  return {
    size: bytes.size,
    *slices(start, end) {
      let position = start;
      for (const slice of bytes.slices(start, end)) {
        yield position <= at && at < position + slice.length ? flipped(slice, at - position) : slice;
        position += slice.length;
      }
    },
  };
}

function flipped(slice: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(slice);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

function resized(bytes: Bytes, size: number): Bytes {
  return {
    size,
    *slices(start, end) {
      if (start < bytes.size) yield* bytes.slices(start, Math.min(end, bytes.size));
      const more = end - Math.max(start, bytes.size);
      if (more > 0) yield Buffer.alloc(more, '+');
    },
  };
}
