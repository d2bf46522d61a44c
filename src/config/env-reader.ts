/** Reads settings by name and collects every fault instead of throwing at the first. */
import { MirrorError } from '../errors.ts';
import { foreignName, knownNames } from './names.ts';
import { Secret } from './secret.ts';
import { type Listen, parseHostPort, parseListen, parseUrl } from './values.ts';

export class EnvReader {
  readonly #env: NodeJS.ProcessEnv;
  readonly #faults: string[] = [];

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  refuseUnknown(): void {
    for (const name of Object.keys(this.#env).toSorted()) {
      if (!name.startsWith('KITEMIRROR_') || knownNames.includes(name) || foreignName.test(name)) continue;
      const near = knownNames.find((known) => closeTo(name, known));
      this.#faults.push(`${name} is not a setting of this version${near ? `; did you mean ${near}?` : ''}`);
    }
  }

  has(name: string): boolean {
    return this.#get(name) !== undefined || this.#get(`${name}_FILE`) !== undefined;
  }

  text(name: string, fallback: string): string {
    return this.#get(name) ?? fallback;
  }

  parsed<T>(name: string, fallback: string | null, parse: (value: string) => T): T {
    const value = this.#get(name) ?? fallback;
    // A fault ends the start before anyone uses the value, so what stands in for it here is never seen.
    if (value === null) return this.#fault(`${name} is required`) as T;
    return this.#try(name, () => parse(value)) as T;
  }

  optional<T>(name: string, parse: (value: string) => T): T | null {
    const value = this.#get(name);
    return value === undefined ? null : (this.#try(name, () => parse(value)) ?? null);
  }

  choice<const T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    return this.parsed(name, fallback, (value) => {
      const found = allowed.find((each) => each === value);
      if (found === undefined) throw new Error(`is "${value}", not one of ${allowed.join(', ')}`);
      return found;
    });
  }

  number(name: string, fallback: number, rule: { min: number; max: number; what: string }): number {
    return this.parsed(name, String(fallback), (value) => {
      const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= rule.min && number <= rule.max)) throw new Error(`is "${value}", not ${rule.what}`);
      return number;
    });
  }

  integer(name: string, fallback: number, min: number, max: number): number {
    return this.parsed(name, String(fallback), (value) => {
      const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) throw new Error(`is "${value}", not a whole number from ${min} to ${max}`);
      return number;
    });
  }

  url(name: string, fallback: string): URL {
    return this.parsed(name, fallback, parseUrl);
  }

  hostPort(name: string, fallback: string): { host: string; port: number } {
    return this.parsed(name, fallback, parseHostPort);
  }

  listen(name: string, fallback: string): Listen {
    return this.parsed(name, fallback, parseListen);
  }

  listenOrOff(name: string, fallback: string): Listen | null {
    return this.parsed(name, fallback, (value) => (value === 'off' ? null : parseListen(value)));
  }

  secret(name: string, check: (value: string) => string = (value) => value): Secret | null {
    const value = this.#get(name);
    const file = this.#get(`${name}_FILE`);
    if (value !== undefined && file !== undefined)
      return this.#fault(`${name} and ${name}_FILE are both set: keep one`);
    if (value === undefined && file === undefined) return this.#fault(`${name} (or ${name}_FILE) is required`);
    return this.#try(file === undefined ? name : `${name}_FILE`, () => {
      const secret = new Secret(file === undefined ? (value ?? '') : { file });
      if (secret.revealAll().length === 0) throw new Error('is empty');
      check(secret.reveal());
      return secret;
    });
  }

  /** Two settings of which the one is nothing without the other. */
  together(left: string, right: string): void {
    const [set, unset] = this.has(left) ? [left, right] : [right, left];
    if (this.has(set) && !this.has(unset)) this.#fault(`${unset} is required beside ${set}`);
  }

  /** A fault of several settings together. */
  refuse(text: string): void {
    this.#fault(text);
  }

  finish(): void {
    if (this.#faults.length === 0) return;
    const count = this.#faults.length === 1 ? '1 fault' : `${this.#faults.length} faults`;
    const list = this.#faults.map((fault) => `  - ${fault}`).join('\n');
    throw new MirrorError('ERR_CONFIG', `${count} in the configuration:\n${list}\nREADME.md lists every setting.`);
  }

  /** An empty value counts as unset: that is how compose files and CI pass absent variables on. */
  #get(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === '' ? undefined : value;
  }

  #try<T>(name: string, parse: () => T): T | null {
    try {
      return parse();
    } catch (fault) {
      const text = fault instanceof Error ? fault.message : String(fault);
      // A system error's own text names the file; ours continue the sentence.
      return this.#fault(/^[A-Z]{3,}/.test(text) ? `${name}: ${text}` : `${name} ${text}`);
    }
  }

  #fault(text: string): null {
    this.#faults.push(text);
    return null;
  }
}

/** Whether two names differ by a slip of the keyboard: the same letters but for two. */
function closeTo(left: string, right: string): boolean {
  if (Math.abs(left.length - right.length) > 2) return false;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (row[right.length] ?? 9) <= 2;
}
