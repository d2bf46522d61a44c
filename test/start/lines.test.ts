import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { createPrinter, type PrinterOptions } from '../../src/supervise/lines.ts';
import { translateRedisLine } from '../../src/supervise/redis.ts';

function printing(options: Partial<PrinterOptions> = {}) {
  const written: string[] = [];
  const write = (line: string): number => written.push(line);
  return { written, printer: createPrinter({ write, format: 'text', color: false, ...options }) };
}

const entry = { level: 'info', time: '2026-11-23T10:00:00.000Z', program: 'worker', msg: 'job mirrored' };

describe('for a person', () => {
  test('a JSON line becomes time, program, level, message and its fields', () => {
    const { written, printer } = printing();
    printer.line('worker-1', JSON.stringify({ ...entry, files: 3, path: 'a b', name: 'web' }));
    assert.match(written[0] ?? '', /^\d\d:\d\d:\d\d worker-1 info  job mirrored files=3 path="a b" name=web$/);
  });

  test('a list of faults and a stack stand below, line by line', () => {
    const { written, printer } = printing();
    printer.line('worker', JSON.stringify({ ...entry, stack: 'Error: x\n    at y' }));
    assert.deepEqual(written[0]?.split('\n').slice(1), ['      stack:', '      Error: x', '          at y']);
  });

  test('colour changes no word', () => {
    const [plain, colored] = [printing(), printing({ color: true })];
    for (const { printer } of [plain, colored])
      printer.line('worker', JSON.stringify({ ...entry, level: 'warn', n: 1 }));
    assert.notEqual(colored.written[0], plain.written[0]);
    assert.equal(stripVTControlCharacters(colored.written[0] ?? ''), plain.written[0]);
  });

  test('control characters of other people reach no terminal', () => {
    const { written, printer } = printing();
    printer.line('worker', JSON.stringify({ ...entry, msg: 'a\u001b[2Jb', path: '\u001b]0;title\u0007' }));
    printer.line('worker', 'plain \u001b[31mtext');
    assert.doesNotMatch(written.join('\n'), /[\u0000-\u0009\u000b-\u001f\u007f]/);
    assert.match(written.join('\n'), /a\\x1b\[2Jb/);
  });

  test('text that is no JSON line is shown as it is, and blank lines are left out', () => {
    const { written, printer } = printing();
    for (const line of ['{ not json', '{"a":1}', '', '   ']) printer.line('redis', line);
    assert.equal(written.length, 2);
    assert.match(written[0] ?? '', /redis +\{ not json$/);
  });

  test('lines below the wanted level are left out, those without one never', () => {
    const { written, printer } = printing({ least: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error']) printer.line('worker', JSON.stringify({ ...entry, level }));
    printer.line('worker', 'a crash says no level');
    assert.deepEqual(
      written.map((line) => /debug|info|warn|error|crash/.exec(line)?.[0]),
      ['warn', 'error', 'crash'],
    );
  });
});

test('as JSON each line is one object that names its program', () => {
  const { written, printer } = printing({ format: 'json' });
  printer.line('worker-1', JSON.stringify({ ...entry, files: 3 }));
  printer.line('redis', 'ready');
  printer.say('info', 'ended', { seconds: 1 });
  const [first, second, third] = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(first, { ...entry, program: 'worker-1', files: 3 });
  assert.deepEqual([second?.program, second?.msg], ['redis', 'ready']);
  assert.deepEqual([third?.program, third?.level, third?.msg, third?.seconds], ['start', 'info', 'ended', 1]);
});

test('a secret is hidden in every line, whoever wrote it', () => {
  for (const format of ['json', 'text'] as const) {
    const { written, printer } = printing({ format });
    printer.hide(() => ['bkua_0123', 'short']);
    printer.line('worker', JSON.stringify({ ...entry, url: 'https://x/?token=bkua_0123' }));
    printer.line('worker', 'plain bkua_0123 short');
    printer.say('error', 'bkua_0123');
    assert.doesNotMatch(written.join('\n'), /bkua_0123/);
    assert.match(written.join('\n'), /short/);
  }
});

test("Redis' banners are for the curious and its troubles are warnings", () => {
  const levelOf = (line: string): unknown => (JSON.parse(translateRedisLine(line)) as { level: unknown }).level;
  const at = '12:M 23 Nov 2026 23:03:03.410';
  assert.equal(levelOf(`${at} # Server initialized`), 'debug');
  assert.equal(levelOf(`${at} # WARNING Memory overcommit must be enabled! Without it, a save may fail`), 'debug');
  assert.equal(levelOf(`${at} # Can't save in background: fork: Cannot allocate memory`), 'warn');
  assert.equal(levelOf(`${at} # Bad file format reading the append only file: corrupt`), 'warn');
  assert.match(translateRedisLine('12:signal-handler (1795475003) Received SIGTERM'), /"msg":"Received SIGTERM"/);
});
