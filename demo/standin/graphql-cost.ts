/**
 * What a query costs: 1 point for each object, interface or union, nothing for scalars and enums. Requested: what it
 * could return at most (a connection 1, its edges 1, its nodes as many as asked for, 500 unless told). Actual: what it
 * did return. The documented example, `pipelines(first: 500)` of an organization, requests 503 points and costs 13 where
 * there are ten pipelines.
 * @see https://buildkite.com/docs/apis/graphql/graphql-resource-limits
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

export interface Query {
  readonly schema: GraphQLSchema;
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Coerced. */
  readonly variables: Record<string, unknown>;
  readonly pageSize: PageSize;
}

/** Items of a connection that names neither `first` nor `last`, and the most that one may ask for (more is cut down). */
export interface PageSize {
  readonly default: number;
  readonly most: number;
}

export interface Cost {
  readonly points: number;
  /** Levels of fields. */
  readonly depth: number;
}

const nothing: Cost = { points: 0, depth: 0 };

export function requestedCost(query: Query): Cost {
  const root = query.schema.getRootType(query.operation.operation);
  return root == null ? nothing : costOf(query, query.operation.selectionSet, root, 1);
}

/** @param count how many objects of that type there can be @returns what is below them */
function costOf(query: Query, set: SelectionSetNode, type: GraphQLCompositeType, count: number): Cost {
  const concrete = isAbstractType(type) ? query.schema.getPossibleTypes(type) : [type];
  // Of the types that an object may turn out to be, the dearest counts.
  const costs = concrete.map((each) =>
    sum(fieldsOf(query, set, each.name).map((field) => fieldCost(query, field, each, count))),
  );
  return costs.reduce(
    (most, cost) => ({ points: Math.max(most.points, cost.points), depth: Math.max(most.depth, cost.depth) }),
    nothing,
  );
}

function fieldCost(query: Query, field: FieldNode, parent: GraphQLCompositeType, count: number): Cost {
  const definition = isObjectType(parent) ? parent.getFields()[field.name.value] : undefined;
  // Introspection is free.
  if (definition === undefined) return nothing;
  const type = getNamedType(definition.type);
  if (!isCompositeType(type) || field.selectionSet === undefined) return { points: 0, depth: 1 };
  const args = getArgumentValues(definition, field, query.variables);
  const size = isConnection(type) ? pageSizeOf(args, query.pageSize) : 1;
  const below = isConnection(type)
    ? connectionCost(query, field.selectionSet, type, count, size)
    : costOf(query, field.selectionSet, type, count);
  return { points: count + below.points, depth: 1 + below.depth };
}

/** `edges` is one object however many there are; what is in them is there `size` times. */
function connectionCost(
  query: Query,
  set: SelectionSetNode,
  type: GraphQLCompositeType,
  count: number,
  size: number,
): Cost {
  const parts = fieldsOf(query, set, type.name).map((field): Cost => {
    const definition = isObjectType(type) ? type.getFields()[field.name.value] : undefined;
    if (field.name.value !== 'edges' || definition === undefined || field.selectionSet === undefined) {
      return fieldCost(query, field, type, count);
    }
    const edge = getNamedType(definition.type);
    const below = isCompositeType(edge) ? costOf(query, field.selectionSet, edge, count * size) : nothing;
    return { points: count + below.points, depth: 1 + below.depth };
  });
  return sum(parts);
}

function isConnection(type: GraphQLCompositeType): boolean {
  return isObjectType(type) && type.getInterfaces().some((each) => isInterfaceType(each) && each.name === 'Connection');
}

export function pageSizeOf(args: Readonly<Record<string, unknown>>, pageSize: PageSize): number {
  const asked = args.first ?? args.last;
  return Math.min(typeof asked === 'number' ? Math.max(0, asked) : pageSize.default, pageSize.most);
}

function sum(costs: readonly Cost[]): Cost {
  return costs.reduce(
    (all, cost) => ({ points: all.points + cost.points, depth: Math.max(all.depth, cost.depth) }),
    nothing,
  );
}

/** The fields that an object of that type answers, fragments opened and directives obeyed. */
function fieldsOf(query: Query, set: SelectionSetNode, typeName: string): FieldNode[] {
  return set.selections.flatMap((selection) => {
    if (isLeftOut(query, selection)) return [];
    if (selection.kind === Kind.FIELD) return [selection];
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? query.fragments.get(selection.name.value) : selection;
    if (fragment === undefined || !applies(query.schema, fragment.typeCondition?.name.value, typeName)) return [];
    return fieldsOf(query, fragment.selectionSet, typeName);
  });
}

function isLeftOut({ variables }: Query, selection: SelectionNode): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variables)?.if;
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variables)?.if;
  return skip === true || include === false;
}

function applies(schema: GraphQLSchema, condition: string | undefined, typeName: string): boolean {
  if (condition === undefined || condition === typeName) return true;
  const [wide, narrow] = [schema.getType(condition), schema.getType(typeName)];
  return isAbstractType(wide) && isObjectType(narrow) && schema.isSubType(wide, narrow);
}

/** Of an answer's `data`: an edge counts through its node, the list of edges once. */
export function actualPoints(data: unknown): number {
  if (typeof data !== 'object' || data === null) return 0;
  let points = 0;
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'object' || value === null || name.startsWith('__')) continue;
    points += 1;
    if (!Array.isArray(value)) points += actualPoints(value);
    else for (const edge of value) points += actualPoints(edge);
  }
  return points;
}
