/**
 * Writes a job's log as Buildkite keeps it: every line begins with its time (`ESC _bk;t=<ms> BEL`) and ends with CR LF,
 * `~~~`, `---`, `+++` begin groups, `^^^ +++` opens the one before, and colours are the terminal's.
 */

const colors = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, grey: 90 } as const;
type ColorName = keyof typeof colors;

export function paint(color: ColorName, text: string): string {
  return `\u001b[${colors[color]}m${text}\u001b[0m`;
}

export function bold(text: string): string {
  return `\u001b[1m${text}\u001b[0m`;
}

export class LogWriter {
  #now: number;
  readonly #parts: string[] = [];

  /** @param startedAt milliseconds since 1970 */
  constructor(startedAt: number) {
    this.#now = startedAt;
  }

  /** @param tookMs what passed before it */
  line(text = '', tookMs = 3): this {
    this.#now += tookMs;
    this.#parts.push(`${this.#stamp()}${text}\r\n`);
    return this;
  }

  lines(texts: readonly string[], tookMs = 3): this {
    for (const text of texts) this.line(text, tookMs);
    return this;
  }

  /** `~~~` is quiet, `---` collapsed, `+++` open. */
  group(kind: '~~~' | '---' | '+++', title: string): this {
    return this.line(`${kind} ${title}`, 40);
  }

  /** Opens the group that it is in. */
  open(): this {
    return this.line('^^^ +++');
  }

  command(text: string): this {
    return this.line(`${paint('grey', '$')} ${text}`, 12);
  }

  /** One line that is written over again and again, as progress is: bare CRs, and an erase whose time is told anew. */
  progress(states: readonly string[], tookMs = 180): this {
    const [first = '', ...others] = states;
    this.#now += tookMs;
    let text = `${this.#stamp()}${first}`;
    for (const state of others) {
      this.#now += tookMs;
      text += `\r\u001b[K${this.#stamp()}${state}`;
    }
    this.#parts.push(`${text}\r\n`);
    return this;
  }

  /** As the agent itself reports. */
  agent(text: string, tookMs: number): this {
    const when = new Date(this.#now + tookMs).toISOString().slice(0, 19).replace('T', ' ');
    return this.line(`\u001b[38;5;48m${when} INFO  \u001b[0m ${text}`, tookMs);
  }

  toBuffer(): Buffer {
    return Buffer.from(this.#parts.join(''));
  }

  #stamp(): string {
    return `\u001b_bk;t=${this.#now}\u0007`;
  }
}
