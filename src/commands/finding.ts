/** What a check of the doctor's has to say. */
import type { CommandContext } from './command.ts';

export interface Finding {
  readonly check: string;
  readonly grade: 'ok' | 'warn' | 'fail' | 'skipped';
  readonly found: string;
  /** Where something is to be done. */
  readonly remedy: string | null;
}

export type Check = (context: CommandContext) => Promise<Omit<Finding, 'check'>[]>;
