import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { assignFiles, encodePath, type NamedArtifact, parseTreePath, stepFolder } from '../../src/tree/paths.ts';

/** Characters that file systems, shells, URLs and browsers disagree about, more often than chance would have it. */
const awkward = fc.constantFrom(
  ...[
    '.',
    '..',
    '...',
    '~',
    'C:',
    'c:',
    'x',
    'a',
    'b',
    'a b',
    '%2e%2e',
    '%2F',
    '"',
    "'",
    '<b>',
    '*',
    '?',
    '#',
    '&',
    ';',
  ],
  ...['\u0000', '\n', '\u007f', '\u0085', '\ud800', '\udc00', '\u202e', 'é', 'e\u0301', '日本', '🦘', '-', '.hidden'],
  ...['con', 'index.html', 'job.json', 'artifacts', 'artifacts-by-id', '', ' ', 'x'.repeat(255), 'é'.repeat(128)],
);
const part = fc.oneof(
  awkward,
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.tuple(awkward, awkward).map((two) => two.join('')),
);
const path = fc
  .array(fc.tuple(part, fc.constantFrom('/', '\\', '//', '/./')), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.map(([name, separator], at) => (at === 0 ? name : separator + name)).join(''));
const artifacts: fc.Arbitrary<NamedArtifact[]> = fc
  .uniqueArray(path, { maxLength: 12, selector: (each) => parseTreePath(each) ?? `unsafe ${each}` })
  .map((paths) => paths.map((each, index) => ({ id: `id-${index}`, path: each })));

function foldersAbove(file: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.push(folder);
  return folders;
}

describe('the place of an artifact', () => {
  it('never lies outside its job, whatever upstream calls it', () => {
    const job = '/data/tree/acme/web/builds/1/jobs/j';
    fc.assert(
      fc.property(artifacts, (some) => {
        for (const file of assignFiles(some).values()) {
          const inside = relative(job, join(job, file));
          assert.equal(inside, file, 'is normal already');
          assert.match(file, /^artifacts(-by-id)?\//);
          for (const each of file.split(sep)) {
            assert.ok(each !== '' && each !== '.' && each !== '..');
            assert.ok(Buffer.byteLength(each) <= 255);
            assert.ok(each.isWellFormed());
            assert.doesNotMatch(each, /[\u0000-\u001f\u007f-\u009f\\]/);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is another for each, and none is a file where another has a folder', () => {
    fc.assert(
      fc.property(artifacts, (some) => {
        const files = [...assignFiles(some).values()];
        const taken = new Set(files);
        assert.equal(taken.size, files.length);
        for (const file of files) for (const folder of foldersAbove(file)) assert.ok(!taken.has(folder), folder);
      }),
      { numRuns: 2000 },
    );
  });

  it('does not depend on the order in which artifacts are learned of', () => {
    const shuffled = artifacts.chain((some) =>
      fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length, maxLength: some.length })),
    );
    fc.assert(
      fc.property(shuffled, ([some, others]) => {
        assert.deepEqual(Object.fromEntries(assignFiles(others)), Object.fromEntries(assignFiles(some)));
      }),
      { numRuns: 1000 },
    );
  });

  it('is given to every artifact: none is dropped for its name', () => {
    fc.assert(
      fc.property(artifacts, (some) => {
        const files = assignFiles(some);
        assert.deepEqual([...files.keys()].toSorted(), some.map(({ id }) => id).toSorted());
      }),
    );
  });

  it('can be made on a real disk', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'kitemirror-names-'));
    t.after(() => rmSync(folder, { recursive: true }));
    let run = 0;
    fc.assert(
      fc.property(artifacts, (some) => {
        run += 1;
        for (const file of assignFiles(some).values()) {
          const target = join(folder, String(run), file);
          mkdirSync(dirname(target), { recursive: true });
          writeFileSync(target, '', { flag: 'wx' });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('comes back whole from its URL', () => {
    fc.assert(
      fc.property(artifacts, (some) => {
        for (const file of assignFiles(some).values()) {
          const url = encodePath(`jobs/j/${file}`);
          assert.equal(url.split('/').map(decodeURIComponent).join('/'), `jobs/j/${file}`);
          const resolved = new URL(url, 'http://mirror/acme/web/builds/1/');
          assert.equal(resolved.pathname, `/acme/web/builds/1/${url}`, 'a browser changes nothing in it');
          assert.equal(resolved.search + resolved.hash, '');
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the contract of names', () => {
  const stored: Record<string, string> = {
    '..\\..\\x': 'x',
    '../../x': 'x',
    '/tmp/x': 'tmp/x',
    '//tmp//x': 'tmp/x',
    'C:\\x': 'x',
    'c:/x/y': 'x/y',
    'C:x': 'x',
    '..\\C:\\..\\x': 'x',
    './log/test.log': 'log/test.log',
    'log/./test.log': 'log/test.log',
    'a\\b\\c.txt': 'a/b/c.txt',
    '.github/.env': '.github/.env',
    '...': '...',
    '..a/b..': '..a/b..',
    'a%2Fb/100%': 'a%2Fb/100%',
    [`with space/it's "quoted".txt`]: `with space/it's "quoted".txt`,
    'ünïcode/日本/🦘.png': 'ünïcode/日本/🦘.png',
    '<img onerror=alert(1)>.html': '<img onerror=alert(1)>.html',
    [`${'x'.repeat(255)}/y`]: `${'x'.repeat(255)}/y`,
    'd/C:/x': 'd/C:/x',
  };
  for (const [said, kept] of Object.entries(stored)) {
    const shown = said.length > 60 ? `${said.slice(0, 20)}… (${said.length})` : said;
    it(`stores ${shown} as the agent would`, () => assert.equal(parseTreePath(said), kept));
  }

  const unsafe: Record<string, string> = {
    '.. inside': 'a/../b',
    '.. at the end': 'a/..',
    '.. after a drive letter that is stripped from a name': 'C:../x/..',
    'a control character': 'a\u0007b',
    'a line break': 'a\nb',
    'a NUL': 'a\u0000b',
    'DEL and C1': 'a\u007f/\u0085',
    'a lone surrogate': 'a\ud800b',
    'a component of 256 bytes': 'x'.repeat(256),
    'a component of 256 bytes in 128 characters': 'é'.repeat(128),
    'a path beyond what a disk takes': Array.from({ length: 1600 }, () => 'x').join('/'),
    nothing: '',
    'nothing but separators': '//./\\',
    'nothing but ..': '../..',
  };
  for (const [what, said] of Object.entries(unsafe)) {
    it(`puts under its id what has ${what}`, () => {
      assert.equal(parseTreePath(said), null);
      const file = assignFiles([{ id: 'the-id', path: said }]).get('the-id');
      assert.match(file ?? '', /^artifacts-by-id\/the-id\/[^/]+$/);
    });
  }

  it('keeps what it can of a name under an id', () => {
    const name = (path: string): string | undefined => assignFiles([{ id: 'i', path }]).get('i');
    assert.equal(name('a/../report.html'), 'artifacts-by-id/i/report.html');
    assert.equal(name('log\u0000s.txt'), 'artifacts-by-id/i/log_s.txt');
    assert.equal(name('../..'), 'artifacts-by-id/i/artifact');
    assert.equal(name(`x/${'é'.repeat(200)}`), `artifacts-by-id/i/${'é'.repeat(127)}`);
  });

  it('lets the folder win where a file and a folder collide in a job', () => {
    const files = assignFiles([
      { id: '1', path: 'a' },
      { id: '2', path: 'a/b' },
      { id: '3', path: 'a/b/c' },
      { id: '4', path: 'ab' },
    ]);
    assert.deepEqual(Object.fromEntries(files), {
      1: 'artifacts-by-id/1/a',
      2: 'artifacts-by-id/2/b',
      3: 'artifacts/a/b/c',
      4: 'artifacts/ab',
    });
  });

  it('makes a folder of an id that is no folder name', () => {
    for (const id of ['..', '.', 'a/b', 'a\u0000', 'x'.repeat(300)]) {
      const file = assignFiles([{ id, path: 'a/../b' }]).get(id) ?? '';
      assert.match(file, /^artifacts-by-id\/[0-9a-f]{64}\/b$/);
    }
  });

  it('makes one safe folder of every step key', () => {
    fc.assert(
      fc.property(part, (key) => {
        const folder = stepFolder(key);
        assert.equal(join('/s', folder), `/s/${folder}`);
        assert.ok(Buffer.byteLength(folder) <= 255 && folder !== '' && !folder.includes('/'));
      }),
    );
    assert.equal(stepFolder('unit-tests'), 'unit-tests');
    assert.notEqual(stepFolder('../a'), stepFolder('../b'));
  });
});
