/**
 * XML of others' tools, read without mercy: no DTD, no entity but the five of XML itself and characters by number, a
 * bound on size and depth. What comes out is plain text; nothing is fetched and nothing is expanded.
 */
import { XMLParser } from 'fast-xml-parser';

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** Its own text and CDATA, in order, without its children's. */
  readonly text: string;
}

export const maxXmlBytes = 32 * 1024 * 1024;
const maxDepth = 64;
const attributesKey = ':@';
const [textKey, cdataKey] = ['#text', '#cdata'];

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  attributesGroupName: false,
  textNodeName: textKey,
  cdataPropName: cdataKey,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: maxDepth,
});

/** What may stand before the outermost element, one after the other. */
const space = /\s+/y;
const namedDoctype = /<!DOCTYPE\s+[\w:.-]+(\s+(SYSTEM|PUBLIC)(\s+("[^"]*"|'[^']*')){1,2})?\s*>/iy;
const passedOver = [
  ['<?', '?>'],
  ['<!--', '-->'],
] as const;

/**
 * A DTD that is only named (Cobertura's reports do) is passed over, and never fetched; one with rules of its own is not read.
 * It stands before the outermost element: the same letters in a comment, or in what a test has said, are text.
 * @returns null where there are rules, or no element
 */
function withoutDoctype(text: string): string | null {
  let [before, from] = ['', 0];
  let isNamed = false;
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; ) {
    const other = passedOver.find(([start]) => text.startsWith(start, at));
    if (other !== undefined) {
      const [start, end] = other;
      const found = text.indexOf(end, at + start.length);
      if (found === -1) return null;
      at = found + end.length;
      continue;
    }
    space.lastIndex = at;
    if (space.test(text)) {
      at = space.lastIndex;
      continue;
    }
    namedDoctype.lastIndex = at;
    if (!isNamed && namedDoctype.test(text)) {
      isNamed = true;
      before = text.slice(0, at);
      from = at = namedDoctype.lastIndex;
      continue;
    }
    return /^<!DOCTYPE/i.test(text.slice(at, at + 9)) ? null : before + text.slice(from);
  }
  return null;
}

/** An element as the parser has it: one key that is its name, and `:@` for the attributes. */
type Node = Readonly<Record<string, unknown>>;

/** @returns the outermost element; null for what is no XML, is too large, too deep, or brings rules of a DTD */
export function parseXml(text: string): XmlElement | null {
  const plain = text.length > maxXmlBytes ? null : withoutDoctype(text);
  if (plain === null) return null;
  let nodes: unknown;
  try {
    nodes = parser.parse(plain);
  } catch {
    // The parser's own words are about its insides; to a reader it is simply no XML.
    return null;
  }
  return Array.isArray(nodes)
    ? (nodes.map((node: Node) => elementOf(node)).find((found) => found !== null) ?? null)
    : null;
}

function elementOf(node: Node): XmlElement | null {
  const name = Object.keys(node).find((key) => key !== attributesKey && key !== textKey && key !== cdataKey);
  if (name === undefined) return null;
  const inner = Array.isArray(node[name]) ? (node[name] as readonly Node[]) : [];
  const given = (node[attributesKey] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    name,
    attributes: new Map(Object.entries(given).map(([key, value]) => [key, decode(String(value))])),
    children: inner.map(elementOf).filter((child) => child !== null),
    text: inner.map(textOf).join(''),
  };
}

function textOf(node: Node): string {
  const own = node[textKey];
  if (typeof own === 'string') return decode(own);
  const held = node[cdataKey];
  return Array.isArray(held) ? held.map((part: Readonly<Record<string, string>>) => part[textKey] ?? '').join('') : '';
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decode(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (all, decimal, hex, name) => {
    if (name !== undefined) return named[String(name).toLowerCase()] ?? all;
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return code > 0x10ffff || code === 0 ? '\ufffd' : String.fromCodePoint(code);
  });
}
