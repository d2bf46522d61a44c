/** All of them. */
import { backup } from './backup.ts';
import { scenarioOf } from './cell.ts';
import { receiver } from './receiver.ts';
import type { Scenario } from './scenario.ts';
import { stories } from './stories.ts';

export const scenarios: readonly Scenario[] = [...stories.map(scenarioOf), receiver, backup];
