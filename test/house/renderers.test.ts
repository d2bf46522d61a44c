/** Holds that no page escapes the tests that look at every page. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSources } from './imports.ts';

/** What answers with a picture is no page. */
const pictures = new Set(['renderBadge']);

test('every renderer is among the pages that are tested for hostile texts, barriers and width, or a part of one', () => {
  const pages = readSources(['src/pages']);
  const tested = readSources(['test/pages']).filter(({ file }) => /\/every-\w+\.ts$/.test(file));
  assert.ok(tested.length > 0);
  const missing = pages.flatMap(({ file, text }) =>
    Array.from(text.matchAll(/^export (?:async )?function (render\w+)/gm), ([, name = '']) => name).filter((name) => {
      const calls = new RegExp(`\\b${name}\\(`);
      const callers = [...tested, ...pages.filter((page) => page.file !== file)];
      return !pictures.has(name) && !callers.some((caller) => calls.test(caller.text));
    }),
  );
  assert.deepEqual(missing, []);
});
