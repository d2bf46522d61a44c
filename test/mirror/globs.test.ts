/** What the settings' globs include, of names and of paths. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseGlobs } from '../../src/config/values.ts';
import { nameMatcher, pathMatcher } from '../../src/globs.ts';

function namesOf(globs: string, names: readonly string[]): string[] {
  return names.filter(nameMatcher(parseGlobs(globs)));
}

function pathsOf(globs: string, paths: readonly string[]): string[] {
  return paths.filter(pathMatcher(parseGlobs(globs)));
}

describe('globs of slugs and branches', () => {
  const odd = ['main', 'a/b/c', '.hidden', '..', '.', '', '/x', 'x/', 'a//b', 'a/../b', '#1', '!x', 'a\nb', '\u0001'];

  it('include every name with `*`, a build without a branch too', () => {
    assert.deepEqual(namesOf('*', odd), odd);
    assert.deepEqual(namesOf('**', odd), odd);
  });

  it('include all but what is excluded where nothing else is named', () => {
    assert.deepEqual(
      namesOf('!a/*', odd),
      odd.filter((name) => !name.startsWith('a/')),
    );
  });

  it('let the last match win, and `*` cross slashes', () => {
    const names = ['main', 'renovate/a', 'renovate/a/b', 'renovate/keep', 'renovate'];
    assert.deepEqual(namesOf('*,!renovate/*,renovate/keep', names), ['main', 'renovate/keep', 'renovate']);
    assert.deepEqual(namesOf('ma?n,re*/a', names), ['main', 'renovate/a']);
  });
});

describe('globs of artifact paths', () => {
  it('keep `*` within a folder, and take dotfiles for files', () => {
    const paths = ['a.log', '.env', 'log/a.log', 'log/.cache/a.log'];
    assert.deepEqual(pathsOf('*', paths), ['a.log', '.env']);
    assert.deepEqual(pathsOf('**/*.log', paths), ['a.log', 'log/a.log', 'log/.cache/a.log']);
    assert.deepEqual(pathsOf('**,!log/**', paths), ['a.log', '.env']);
  });
});
