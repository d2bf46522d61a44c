import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ArtifactFacts, ArtifactRecord } from '../../src/model.ts';
import { sealValue } from '../../src/tree/sealed-values.ts';
import { redactorOf, withoutPurgedNames } from '../../src/tree/tombstones.ts';

const redact = redactorOf([sealValue(Buffer.from('hunter2'))]);

describe('purged values', () => {
  it('are replaced in every text of a value, however often they stand in one', () => {
    const text = 'a hunter2 b '.repeat(20_000);
    assert.equal(redact({ list: [text] }).list[0], 'a [purged] b '.repeat(20_000));
    const clean = { text: 'hunter 2', more: [1, null, { deep: 'é' }] };
    assert.equal(redact(clean), clean);
  });

  it('make no file of one that is named by them, but for one that is there under that name', () => {
    const facts = (id: string, path: string): ArtifactFacts => ({
      ...{ id, path, job_id: id, state: 'finished', mime_type: 'text/plain', size: 1, sha1: null, sha256: null },
    });
    const listed = [facts('a', 'x/hunter2.txt'), facts('b', 'y.txt'), facts('c', 'hunter2/z')];
    const known = [{ id: 'c', path: 'hunter2/z', state: 'present' } as ArtifactRecord];
    assert.deepEqual(
      withoutPurgedNames(listed, known, redact).map(({ path, purged }) => [path, purged]),
      [
        ['x/[purged].txt', true],
        ['y.txt', undefined],
        ['hunter2/z', undefined],
      ],
    );
  });
});
