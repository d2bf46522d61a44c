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

/** A DTD that is only named (Cobertura's reports do) is passed over, and never fetched; one with rules of its own is not read. */
function withoutDoctype(text: string): string | null {
  const opening = text.slice(0, 65_536);
  const named = /<!DOCTYPE\s+[\w:.-]+(\s+(SYSTEM|PUBLIC)(\s+("[^"]*"|'[^']*')){1,2})?\s*>/i;
  const rest = opening.replace(named, '') + text.slice(65_536);
  return /<!DOCTYPE/i.test(rest.slice(0, 65_536)) ? null : rest;
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
