/** What the demo prints: for a person, or as JSON lines. */
import { styleText } from 'node:util';
import type { CheckTotals } from './check.ts';
import type { Mirrored } from './follow.ts';

export interface Show {
  title(text: string): void;
  fact(name: string, text: string, fields?: Record<string, unknown>): void;
  /** What the columns of the lines to come are. */
  columns(): void;
  mirrored(build: Mirrored): void;
  /** `seconds`: from the first delivery; `inAll`: from the start of this program. */
  done(builds: readonly Mirrored[], seconds: number, inAll: number): void;
  checked(totals: CheckTotals, seconds: number): void;
  open(url: string): void;
  fault(text: string): void;
}

type Style = Parameters<typeof styleText>[0];

const stateStyles: Record<string, Style> = { passed: 'green', failed: 'red', canceled: 'yellow', blocked: 'cyan' };

export function createShow(write: (line: string) => void, options: { json: boolean; color: boolean }): Show {
  return options.json ? jsonShow(write) : textShow(write, options.color);
}

function jsonShow(write: (line: string) => void): Show {
  const put = (event: string, fields: Record<string, unknown>): void => write(JSON.stringify({ event, ...fields }));
  return {
    title: () => undefined,
    fact: (name, _, fields = {}) => put(name, fields),
    columns: () => undefined,
    mirrored({ record, lagMs }) {
      const { organization, pipeline, number, state, branch, present, expected, bytes } = record;
      put('mirrored', { organization, pipeline, number, state, branch, present, expected, bytes, lagMs });
    },
    done: (builds, seconds, inAll) => put('done', { ...sum(builds), seconds, inAll }),
    checked: (totals, seconds) => put('checked', { ...totals, seconds }),
    open: (url) => put('ready', { url }),
    fault: (text) => put('fault', { message: text }),
  };
}

function textShow(write: (line: string) => void, color: boolean): Show {
  const paint = (style: Style, text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text;
  return {
    title: (text) => write(`\n${paint('bold', text)}\n`),
    fact: (name, text) => write(`  ${paint('dim', name.padEnd(9))} ${text}`),
    columns() {
      const names = [
        'build',
        ''.padEnd(7),
        'branch'.padEnd(26),
        'files here'.padStart(12),
        'size'.padStart(9),
        ' after its webhook',
      ];
      write(`\n    ${paint('dim', names.join(' '))}`);
    },
    mirrored({ record, lagMs }) {
      const { state, pipeline, number, branch, present, expected, bytes } = record;
      const mark = paint(stateStyles[state] ?? 'dim', `${state === 'passed' ? '✓' : '✗'} ${state.padEnd(8)}`);
      const name = paint('bold', `${pipeline} #${number}`.padEnd(10));
      const files = `${present} of ${expected}`.padStart(12);
      const size = formatBytes(bytes).padStart(9);
      write(
        `  ${mark} ${name} ${branch.padEnd(26)} ${files} ${size}  ${paint('dim', `${(lagMs / 1000).toFixed(2)} s`)}`,
      );
    },
    done(builds, seconds, inAll) {
      const { present, expected, bytes } = sum(builds);
      const what = `${builds.length} builds, ${present} of ${expected} files, ${formatBytes(bytes)}`;
      write(`\n  ${what}: mirrored in ${seconds.toFixed(1)} s, ${inAll.toFixed(1)} s with the start`);
    },
    checked({ files, bytes, pages, redirects, faults }, seconds) {
      const looked = `${files} files (${formatBytes(bytes)}), ${pages} pages, ${redirects} redirects`;
      if (faults.length === 0)
        write(`  ${paint('green', '✓')} ${looked}: each as upstream has it (${seconds.toFixed(1)} s)\n`);
      else
        write(
          `  ${paint('red', '✗')} ${looked}: ${faults.length} faults\n${faults.map((fault) => `    ${fault}`).join('\n')}\n`,
        );
    },
    open: (url) => write(`\n  Open ${paint(['bold', 'underline'], url)}   ${paint('dim', '(Ctrl-C ends it)')}\n`),
    fault: (text) => write(`\n  ${paint(['red', 'bold'], 'The demo failed:')} ${text}\n`),
  };
}

function sum(builds: readonly Mirrored[]): { builds: number; present: number; expected: number; bytes: number } {
  const totals = { builds: builds.length, present: 0, expected: 0, bytes: 0 };
  for (const { record } of builds) {
    totals.present += record.present;
    totals.expected += record.expected;
    totals.bytes += record.bytes;
  }
  return totals;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** power).toFixed(1)} ${' KMGT'.charAt(power)}iB`;
}
