/** Process: the stand-in with the limits of a plan and the plan's build. Tells what it was asked, when it is asked that. */
import { createStandIn } from '../demo/standin/server.ts';
import type { SeenRequest, StandInAddress } from '../demo/standin/standin.ts';
import { buildOf, type Plan, scaledLimits } from './budget-plans.ts';

export interface BudgetAddress extends StandInAddress {
  readonly portalUrl: string;
}

export interface Start {
  readonly plan: Plan;
  /** Of the portal. */
  readonly token: string;
  /** Null: there is no portal. */
  readonly document: string | null;
}

export interface Counts {
  readonly rest: number;
  /** Of these, for one artifact's link. */
  readonly links: number;
  readonly graphql: number;
  readonly portal: number;
  readonly points: number;
  /** 429s of all APIs. */
  readonly limited: number;
  readonly downloads: number;
}

process.once('message', (start: Start) => void run(start));
// Who started it is gone.
process.on('disconnect', () => process.exit());

async function run({ plan, token, document }: Start): Promise<void> {
  const { limits, points, portalLimits } = scaledLimits(plan);
  const usesPoints = plan.way === 'portal with points';
  const portals = document === null ? [] : [{ slug: 'kitemirror', token, document, points: usesPoints }];
  const standIn = createStandIn({ limits, graphql: { limits: points }, portalLimits, portals, now });
  standIn.put(buildOf(plan));
  const address = await standIn.start();
  process.on('message', () => process.send?.(countsOf(standIn.requests)));
  const told: BudgetAddress = {
    ...address,
    portalUrl: standIn.portalUrl('kitemirror'),
  };
  process.send?.(told);
}

/** The machine's clock may be set while windows are open. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

function countsOf(requests: readonly SeenRequest[]): Counts {
  const at = (side: SeenRequest['at']): SeenRequest[] => requests.filter((request) => request.at === side);
  const rest = at('api');
  return {
    rest: rest.length,
    links: rest.filter(({ path }) => path.endsWith('/download')).length,
    graphql: at('graphql').length,
    portal: at('portal').length,
    points: requests.reduce((sum, request) => sum + (request.points ?? 0), 0),
    limited: requests.filter(({ status }) => status === 429).length,
    downloads: at('storage').length,
  };
}
