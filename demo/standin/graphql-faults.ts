/** What can go wrong with single artifacts in an answer that is good otherwise. */
import type { Edge, GraphqlNode } from './graphql-connection.ts';

export type ArtifactFault =
  /**
   * An artifact is null · null, with an error that names it, as when a field that must be there cannot be made · without
   * its download URL, or with an empty one · absent from its list.
   */
  | {
      readonly kind: 'partial';
      readonly as: 'null' | 'error' | 'noUrl' | 'emptyUrl' | 'absent';
      readonly artifacts?: ArtifactChoice;
    }
  /** Another URL (the next artifact's of its list, unless told) in place of its own. */
  | { readonly kind: 'wrongUrl'; readonly to?: string; readonly artifacts?: ArtifactChoice };

/** Their paths: a string must be contained. Without it: the first of each list. */
export type ArtifactChoice = RegExp | string;

/** Stands for a field that is to be left out of the answer, whatever the schema says. */
export const leftOut = '\u0000left out';

export function disturb(edges: () => readonly Edge[], fault: ArtifactFault): () => readonly Edge[] {
  return () => {
    const whole = edges();
    return whole.flatMap((edge, index): Edge[] => {
      const { node } = edge;
      if (node === null || !isChosen(node, index, fault.artifacts)) return [edge];
      if (fault.kind === 'wrongUrl') {
        const other = whole[(index + 1) % whole.length]?.node?.downloadURL;
        return [{ ...edge, node: { ...node, downloadURL: fault.to ?? other } }];
      }
      return fault.as === 'absent' ? [] : [{ ...edge, node: spoiled(node, fault.as) }];
    });
  };
}

function isChosen(node: GraphqlNode, index: number, choice: ArtifactChoice | undefined): boolean {
  if (choice === undefined) return index === 0;
  const path = String(node.path);
  return typeof choice === 'string' ? path.includes(choice) : new RegExp(choice.source, choice.flags).test(path);
}

function spoiled(node: GraphqlNode, as: 'null' | 'error' | 'noUrl' | 'emptyUrl'): GraphqlNode | null {
  if (as === 'null') return null;
  return {
    ...node,
    downloadURL: () => {
      if (as === 'error') throw new Error('Something went wrong while the download URL was made');
      return as === 'noUrl' ? leftOut : '';
    },
  };
}
