/** The lines of a log that say why its job failed, as far as words can tell. Pure. */

export interface DecisiveLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export interface Failure {
  /** The one line to look at first. */
  readonly line: number | null;
  /** The last lines that look like errors, in their order. */
  decisive: DecisiveLine[];
}

const mostDecisive = 20;
const longestText = 300;
/** The first look, at every line: most have none of these. */
const suspicious = /error|fail|fatal|panic|exception|traceback|assert|not ok|denied|segmentation|[✗✘✖×❌]|🚨/i;
/** What is printed of a success, or only counts. */
const harmless =
  /\b(?:0|no|without) (?:errors?|failures?|failed|failing)\b|\b(?:errors?|failures?|failed)\b["']?\s*[:=]\s*(?:0|null|none|false)\b|\berror[-_ ]?(?:handler|handling|page|boundary)\b|continue-on-error|fail-?fast|allow.?fail|soft.?fail/i;
/** What the agent says at the end: it only repeats that there was a failure. */
const exit = /exited with status -?\d+|^\s*(?:🚨\s*)?Error: The command|^\^\^\^ \+\+\+/u;
/** Tools that tell of the failure of another: good for nothing where that one has spoken. */
const secondHand =
  /^(?:make(?:\[\d+\])?: \*\*\*|npm (?:ERR!|error)|error: script |ERR_PNPM|error Command failed|Makefile:|ninja: build stopped|FAILURE: Build failed|.*ELIFECYCLE)/i;
const count = /\b\d+ (?:failed|failures?|errors?|failing)\b/i;

/** Says that an error follows, and not which: the line behind it does. A traceback says so at its end. */
const announcement = /(?:error|fail|fatal|panic|exception)\b.{0,80}:$/i;
const groupHeader = /^(?:---|\+\+\+|~~~) /;

/** Gathers while the log goes by; bounded. */
export class FailureWatch {
  readonly #seen: { line: number; text: string; isFirstHand: boolean }[] = [];
  #exit: DecisiveLine | null = null;
  #isAnnounced = false;

  see(line: number, text: string): void {
    if (!this.#isAnnounced && !suspicious.test(text)) return;
    const shown = text.trim().slice(0, longestText);
    if (shown === '') return;
    const isTold = suspicious.test(text) || !groupHeader.test(shown);
    this.#isAnnounced = false;
    if (exit.test(text)) {
      this.#exit = { line, text: shown };
      return;
    }
    if (!isTold || harmless.test(text)) return;
    const isRepeated = secondHand.test(shown);
    this.#isAnnounced = !isRepeated && announcement.test(shown);
    this.#seen.push({ line, text: shown, isFirstHand: !isRepeated && !count.test(shown) });
    if (this.#seen.length >= 2 * mostDecisive) this.#seen.splice(0, mostDecisive);
  }

  /** What came after the last exit status (uploads, hooks) did not decide. */
  settled(): Failure {
    const until = this.#exit?.line ?? Number.POSITIVE_INFINITY;
    const before = this.#seen.filter(({ line }) => line < until).slice(-mostDecisive);
    const found = before.findLast(({ isFirstHand }) => isFirstHand) ?? before.at(-1) ?? this.#exit;
    const decisive = [
      ...before.map(({ line, text }) => ({ line, text })),
      ...(this.#exit === null ? [] : [this.#exit]),
    ];
    return { line: found?.line ?? null, decisive };
  }
}
