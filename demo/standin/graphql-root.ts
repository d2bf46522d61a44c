/** The fields of the GraphQL schema's `Query`. What is not there, or of another organization, is null. */
import type { GraphqlNode } from './graphql-connection.ts';
import { artifactNode, buildNode, type NodeContext, nodeOfJob, organizationNode } from './graphql-nodes.ts';
import { graphqlId, uuidFrom } from './ids.ts';
import type { StandInToken } from './tokens.ts';

interface Names {
  readonly slug?: string | null;
  readonly uuid?: string | null;
}

/** @param viewer null: a portal's token, which is nobody's */
export function rootOf(context: NodeContext, viewer: StandInToken | null): GraphqlNode {
  const { upstream } = context;
  const build = ({ slug, uuid }: Names): GraphqlNode | null => {
    const [organization = '', pipeline = '', number = ''] = slug?.split('/') ?? [];
    const stored = uuid == null ? upstream.build(organization, pipeline, Number(number)) : upstream.buildById(uuid);
    return stored === undefined ? null : buildNode(stored, context);
  };
  const artifact = ({ uuid }: { readonly uuid: string }): GraphqlNode | null => {
    const stored = upstream.artifact(uuid);
    return stored === undefined ? null : artifactNode(stored, context);
  };
  const job = ({ uuid }: { readonly uuid: string }): GraphqlNode | null => nodeOfJob(uuid, context);
  const organization = ({ slug, uuid }: Names): GraphqlNode | null => {
    const found = upstream.organizations().find((each) => (uuid == null ? each.slug === slug : each.id === uuid));
    return found === undefined ? null : organizationNode(found);
  };
  const finders: Record<string, (names: { readonly uuid: string }) => GraphqlNode | null> = {
    Artifact: artifact,
    Build: build,
    Job: job,
    Organization: organization,
  };
  return {
    artifact,
    build,
    job,
    organization,
    node: ({ id }: { readonly id: string }) => {
      const [type = '', uuid = ''] = Buffer.from(id, 'base64').toString().split('---');
      return finders[type]?.({ uuid }) ?? null;
    },
    viewer: viewer === null ? null : viewerNode(viewer),
  };
}

function viewerNode({ user: email }: StandInToken): GraphqlNode {
  const uuid = uuidFrom(email, 1_411_380_801_477);
  const user = { __typename: 'User', id: graphqlId('User', uuid), uuid, email, name: 'Mirror' };
  return { __typename: 'Viewer', id: graphqlId('Viewer', uuid), user };
}
