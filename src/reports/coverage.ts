/** Coverage as lcov and Cobertura tell it: a summary for each file. Lines are counted, never shown. */
import { parseXml, type XmlElement } from './xml.ts';

/** Of `found` things that could have run, `hit` did. */
export interface Part {
  readonly found: number;
  readonly hit: number;
}

export interface CoveredFile {
  readonly path: string;
  readonly lines: Part;
  readonly branches: Part;
  readonly functions: Part;
}

export interface Coverage {
  readonly files: readonly CoveredFile[];
  /** Whether there are more files than are read. */
  readonly truncated: boolean;
}

const maxFiles = 20_000;

export function total(files: readonly CoveredFile[], part: 'lines' | 'branches' | 'functions'): Part {
  return files.reduce((sum, file) => plus(sum, file[part]), nothing);
}

const nothing: Part = { found: 0, hit: 0 };

function plus(left: Part, right: Part): Part {
  return { found: left.found + right.found, hit: left.hit + right.hit };
}

/**
 * A file that several tests cover has a section for each; sections of one path are joined by the better of each line.
 * @see https://manpages.debian.org/bookworm/lcov/geninfo.1.en.html#FILES
 * @returns null for what is no lcov trace
 */
export function parseLcov(text: string): Coverage | null {
  const files = new Map<string, Section>();
  let section: Section | null = null;
  let truncated = false;
  for (const line of linesOf(text)) {
    const cut = line.indexOf(':');
    const [key, value] = cut === -1 ? [line, ''] : [line.slice(0, cut), line.slice(cut + 1)];
    if (key === 'SF') {
      section = files.get(value) ?? null;
      if (section === null && files.size < maxFiles) files.set(value, (section = newSection()));
      truncated ||= section === null;
    } else if (key === 'end_of_record') section = null;
    else if (section !== null) note(section, key, value);
  }
  if (files.size === 0) return null;
  return { files: Array.from(files, ([path, each]) => summary(path, each)), truncated };
}

interface Section {
  readonly lines: Map<string, boolean>;
  readonly branches: Map<string, boolean>;
  readonly functions: Map<string, boolean>;
}

function newSection(): Section {
  return { lines: new Map(), branches: new Map(), functions: new Map() };
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    yield text.slice(from, end === -1 ? text.length : end).trimEnd();
    if (end === -1) return;
    from = end + 1;
  }
}

function note(section: Section, key: string, value: string): void {
  const parts = value.split(',');
  if (key === 'DA') mark(section.lines, parts[0], parts[1]);
  else if (key === 'BRDA') mark(section.branches, parts.slice(0, 3).join(','), parts[3]);
  // FNDA:<count>,<name>; a name may hold commas.
  else if (key === 'FNDA') mark(section.functions, parts.slice(1).join(','), parts[0]);
  else if (key === 'FN') mark(section.functions, parts.slice(/^\d+$/.test(parts[1] ?? '') ? 2 : 1).join(','), '0');
}

function mark(seen: Map<string, boolean>, name: string | undefined, count: string | undefined): void {
  if (name === undefined || count === undefined) return;
  seen.set(name, (seen.get(name) ?? false) || Number(count) > 0);
}

function summary(path: string, { lines, branches, functions }: Section): CoveredFile {
  return { path, lines: partOf(lines), branches: partOf(branches), functions: partOf(functions) };
}

function partOf(seen: ReadonlyMap<string, boolean>): Part {
  let hit = 0;
  for (const isHit of seen.values()) if (isHit) hit += 1;
  return { found: seen.size, hit };
}

/** @returns null for what is no Cobertura report */
export function parseCobertura(text: string): Coverage | null {
  const root = parseXml(text);
  return root === null ? null : coverageOf(root);
}

/** As parseCobertura, of what has been parsed already. */
export function coverageOf(root: XmlElement): Coverage | null {
  if (root.name !== 'coverage') return null;
  const files = new Map<string, CoveredFile>();
  let truncated = false;
  for (const element of classesOf(root)) {
    const path = element.attributes.get('filename') ?? element.attributes.get('name') ?? '?';
    const before = files.get(path);
    if (before === undefined && files.size >= maxFiles) truncated = true;
    else files.set(path, joined(before, classSummary(path, element)));
  }
  return { files: [...files.values()], truncated };
}

function* classesOf(element: XmlElement): Generator<XmlElement> {
  for (const child of element.children) {
    if (child.name === 'class') yield child;
    else if (child.name !== 'lines' && child.name !== 'methods') yield* classesOf(child);
  }
}

/** A file may hold several classes. */
function joined(before: CoveredFile | undefined, file: CoveredFile): CoveredFile {
  if (before === undefined) return file;
  const { path, lines, branches, functions } = file;
  return {
    path,
    lines: plus(before.lines, lines),
    branches: plus(before.branches, branches),
    functions: plus(before.functions, functions),
  };
}

function classSummary(path: string, element: XmlElement): CoveredFile {
  const under = (name: string): readonly XmlElement[] =>
    element.children.find((child) => child.name === name)?.children ?? [];
  const section = newSection();
  let branches = nothing;
  for (const line of under('lines')) {
    mark(section.lines, line.attributes.get('number'), line.attributes.get('hits'));
    // condition-coverage="50% (1/2)"
    const condition = /\((\d+)\/(\d+)\)/.exec(line.attributes.get('condition-coverage') ?? '');
    if (condition !== null) branches = plus(branches, { hit: Number(condition[1]), found: Number(condition[2]) });
  }
  for (const [index, method] of under('methods').entries()) {
    const lines = method.children.find((child) => child.name === 'lines')?.children ?? [];
    const isHit = lines.some((line) => Number(line.attributes.get('hits')) > 0);
    section.functions.set(`${index}`, isHit);
  }
  return { path, lines: partOf(section.lines), branches, functions: partOf(section.functions) };
}
