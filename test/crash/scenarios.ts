/** All of them. */
import { scenarioOf } from './cell.ts';
import type { Scenario } from './scenario.ts';
import { stories } from './stories.ts';

export const scenarios: readonly Scenario[] = stories.map(scenarioOf);
