/** Notification services of the kind `webhook`, as documented in July 2026: list, read, create, update, enable, disable. */
import { type Answer, json, notFound, pageSize, refusal } from './answer.ts';
import type { Call } from './call.ts';
import { uuidFrom } from './ids.ts';
import type { StandInService } from './sample.ts';

const defaults = { version: 3, token_mode: 'token', events: [], tls_verify: true };
const known = ['provider', 'description', 'scope', 'scope_uuids', 'branch_configuration', 'build_states', 'settings'];
const knownSettings = ['url', 'token', 'token_mode', 'version', 'events', 'tls_verify'];

export function listServices(call: Call): Answer {
  const size = pageSize(call.query);
  const after = call.query.get('after');
  const start = after === null ? 0 : call.services.findIndex(({ id }) => id === after) + 1;
  const items = call.services.slice(start, start + size);
  const last = items.at(-1);
  const url = `${call.view.base}${call.path}`;
  const hasNext = last !== undefined && start + size < call.services.length;
  const links = {
    self: `${url}?per_page=${size}`,
    ...(hasNext ? { next: `${url}?after=${last.id}&per_page=${size}` } : {}),
  };
  return json({ items: items.map((service) => render(service, call)), links });
}

export function createService(call: Call): Answer {
  const body = parseBody(call.body);
  const settings = settingsOf(body);
  if (body === null || body['provider'] !== 'webhook' || typeof settings?.['url'] !== 'string') return unprocessable;
  const service: StandInService = {
    id: uuidFrom(`service ${call.services.length}`, call.now()),
    description: '',
    enabled: true,
    scope: 'all',
    scope_uuids: [],
    branch_configuration: '',
    settings: { ...defaults, token: uuidFrom('token', call.now()).replaceAll('-', '') },
  };
  change(service, body);
  call.services.push(service);
  return { ...json(render(service, call)), status: 201 };
}

/** Omitted fields and settings stay as they are. */
export function updateService(call: Call): Answer {
  const service = serviceOf(call);
  const body = parseBody(call.body);
  if (service === undefined) return notFound;
  if (body === null) return unprocessable;
  change(service, body);
  return json(render(service, call));
}

export function getService(call: Call): Answer {
  const service = serviceOf(call);
  return service === undefined ? notFound : json(render(service, call));
}

export function switchService(enabled: boolean): (call: Call) => Answer {
  return (call) => {
    const service = serviceOf(call);
    if (service === undefined) return notFound;
    service.enabled = enabled;
    return json(render(service, call));
  };
}

const unprocessable = refusal(422, 'Validation failed');

function serviceOf({ services, service }: Call): StandInService | undefined {
  return services.find(({ id }) => id === service);
}

/** @returns null for what holds an unknown field */
function parseBody(text: string): Record<string, unknown> | null {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
    const settings = settingsOf(body as Record<string, unknown>);
    const isKnown = Object.keys(body).every((name) => known.includes(name));
    return isKnown && Object.keys(settings ?? {}).every((name) => knownSettings.includes(name))
      ? (body as Record<string, unknown>)
      : null;
  } catch (fault) {
    if (fault instanceof SyntaxError) return null;
    throw fault;
  }
}

function settingsOf(body: Record<string, unknown> | null): Record<string, unknown> | null {
  const settings = body?.['settings'];
  return typeof settings === 'object' && settings !== null ? (settings as Record<string, unknown>) : null;
}

function change(service: StandInService, body: Record<string, unknown>): void {
  const { provider: _, settings: _settings, ...rest } = body;
  Object.assign(service, rest);
  Object.assign(service.settings, settingsOf(body));
}

function render(service: StandInService, call: Call): Record<string, unknown> {
  return {
    id: service.id,
    graphql_id: null,
    url: `${call.view.base}/v2/organizations/${call.organization}/services/${service.id}`,
    provider: { id: 'webhook', name: 'Webhook' },
    description: service.description,
    enabled: service.enabled,
    scope: service.scope,
    scope_uuids: service.scope_uuids,
    branch_configuration: service.branch_configuration,
    build_states: {},
    settings: service.settings,
    created_at: '2026-07-01T10:00:00.000Z',
    created_by: null,
  };
}
