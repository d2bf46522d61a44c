/** Relay connections over lists that are all there. */
import { type PageSize, pageSizeOf } from './graphql-cost.ts';

export type GraphqlNode = Record<string, unknown>;

export interface PageArgs {
  readonly after?: string | null;
  readonly before?: string | null;
  readonly first?: number | null;
  readonly last?: number | null;
}

export interface Edge {
  readonly cursor: string;
  readonly node: GraphqlNode | null;
}

export interface Connection {
  /** Of all pages. */
  readonly count: number;
  readonly pageInfo: {
    readonly startCursor: string | null;
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
  };
  readonly edges: () => readonly Edge[];
}

/** `first` counts when both are given. @param node called for the items of the page, when its edges are asked for */
export function connect<T>(
  items: readonly T[],
  args: PageArgs,
  pageSize: PageSize,
  node: (item: T) => GraphqlNode,
): Connection {
  const from = args.after == null ? 0 : placeOf(args.after);
  const to = args.before == null ? items.length : Math.min(items.length, placeOf(args.before) - 1);
  const size = pageSizeOf({ ...args }, pageSize);
  const fromEnd = args.first == null && args.last != null;
  const start = fromEnd ? Math.max(from, to - size) : from;
  const end = Math.max(start, fromEnd ? to : Math.min(to, from + size));
  const isEmpty = end === start;
  return {
    count: items.length,
    pageInfo: {
      startCursor: isEmpty ? null : cursor(start),
      endCursor: isEmpty ? null : cursor(end - 1),
      hasNextPage: end < items.length,
      hasPreviousPage: start > 0,
    },
    edges: () => items.slice(start, end).map((item, index) => ({ cursor: cursor(start + index), node: node(item) })),
  };
}

function cursor(index: number): string {
  return Buffer.from(String(index + 1)).toString('base64url');
}

/** The number of items up to that one, itself among them; 0 for what is no cursor. */
function placeOf(text: string): number {
  const place = Number(Buffer.from(text, 'base64url').toString());
  return Number.isSafeInteger(place) && place > 0 ? place : 0;
}
