import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kind, OperationTypeNode, parse } from 'graphql';
import { kitemirror } from './scene.ts';

test('kitemirror portal prints a document that GraphQL understands, and holds no secret', async () => {
  const { code, out, err } = await kitemirror(['portal']);
  assert.deepEqual([code, err], [0, '']);
  const [definition] = parse(out).definitions;
  assert.ok(definition?.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.QUERY);
  const json = await kitemirror(['portal', '--json']);
  assert.equal((JSON.parse(json.out) as { document: string }).document.trimEnd(), out.trimEnd());
});
