import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { parseEvent } from '../../src/buildkite/events.ts';
import { MirrorError } from '../../src/errors.ts';
import { readRecorded, recordedNames, recordedSkip } from './recorded.ts';

const buildId = '018a1486-9b5c-4c2a-a6bd-7d9f5f0f9d11';
const jobId = '018a1486-a2d6-4b0f-8f0a-1c5c4f7a2b22';
const url = 'https://api.buildkite.com/v2/organizations/acme/pipelines/web.app/builds/42';
const now = 1_800_000_000_000;

/** Shaped like real deliveries: a build event's parts, with a job as the REST API has them. */
const build = {
  id: buildId,
  graphql_id: 'QnVpbGQ=',
  url,
  number: 42,
  state: 'passed',
  blocked: false,
  branch: 'main',
  meta_data: { secret: 'kept out' },
  finished_at: '2026-07-01T20:14:38.123Z',
};
const pipeline = { slug: 'web.app', env: { TOKEN: 'kept out' }, provider: { webhook_url: 'kept out' } };
const sender = { id: '8a7693f8-dbae-4783-9137-84090fce9045', name: 'Some Person' };
const job = { id: jobId, type: 'script', state: 'passed', finished_at: '2026-07-01 20:14:38 UTC' };
const buildFinished = { event: 'build.finished', build, pipeline, sender };
const jobFinished = { event: 'job.finished', job, build, pipeline, sender };

function refusal(body: unknown): { code: string; message: string } {
  try {
    parseEvent(body, 'acme', now);
  } catch (error) {
    assert.ok(error instanceof MirrorError, String(error));
    return { code: error.code, message: error.message };
  }
  throw new Error('it was accepted');
}

describe('an event', () => {
  it('that a build finished is a hint, and nothing but the hint is kept', () => {
    assert.deepEqual(parseEvent(buildFinished, 'acme', now), {
      kind: 'hint',
      hint: {
        event: 'build.finished',
        organization: 'acme',
        pipeline: 'web.app',
        number: 42,
        build: buildId,
        job: null,
        finishedAt: Date.parse('2026-07-01T20:14:38.123Z'),
        heardAt: now,
      },
    });
  });

  it('that a job finished carries the job and its own end, in the older date format too', () => {
    const event = parseEvent(jobFinished, 'acme', now);
    assert.equal(event.kind, 'hint');
    assert.equal(event.kind === 'hint' && event.hint.job, jobId);
    assert.equal(event.kind === 'hint' && event.hint.finishedAt, Date.parse('2026-07-01T20:14:38Z'));
  });

  for (const type of ['trigger', 'waiter', 'manual', 'of_tomorrow']) {
    it(`that a ${type} job finished is a hint as well`, () => {
      assert.equal(parseEvent({ ...jobFinished, job: { ...job, type } }, 'acme', now).kind, 'hint');
    });
  }

  it('of a blocked build, with nulls where a running build has dates, is a hint', () => {
    const blocked = { ...build, blocked: true, started_at: null, finished_at: null };
    const event = parseEvent({ ...buildFinished, build: blocked, pipeline: null }, 'acme', now);
    assert.equal(event.kind === 'hint' && event.hint.finishedAt, null);
  });

  it('with a date that is none, or with none at all, is a hint without an end', () => {
    for (const odd of [
      { id: buildId, url, finished_at: 'soon' },
      { id: buildId, url, finished_at: 7 },
      { id: buildId, url },
    ]) {
      const event = parseEvent({ event: 'build.finished', build: odd }, 'acme', now);
      assert.equal(event.kind === 'hint' && event.hint.finishedAt, null);
    }
  });

  it('names a build by one spelling of its uuid', () => {
    const event = parseEvent({ ...buildFinished, build: { ...build, id: buildId.toUpperCase() } }, 'acme', now);
    assert.equal(event.kind === 'hint' && event.hint.build, buildId);
  });

  it('is ours whatever the capitals of the setting and whatever the host of the URL', () => {
    const local = { ...build, url: url.replace('api.buildkite.com', '127.0.0.1:4000') };
    const event = parseEvent({ ...buildFinished, build: local }, 'Acme', now);
    assert.equal(event.kind === 'hint' && event.hint.organization, 'Acme');
  });

  it('of another organization is ignored, also when its ids are odd', () => {
    const foreign = { id: 'foo', url: url.replace('acme', 'other') };
    const event = parseEvent({ event: 'build.finished', build: foreign }, 'acme', now);
    assert.deepEqual(event, { kind: 'ignored', event: 'build.finished' });
  });

  for (const name of ['build.scheduled', 'job.promised_exit_status', 'agent.blocked', 'package.created', 'toString']) {
    it(`called ${name} is ignored, whatever its body looks like`, () => {
      assert.deepEqual(parseEvent({ event: name, build: 7 }, 'acme', now), { kind: 'ignored', event: name });
    });
  }

  it('called ping is a ping', () => {
    assert.deepEqual(parseEvent({ event: 'ping', organization: null }, 'acme', now), { kind: 'ping' });
  });
});

describe('a published sample', { skip: recordedSkip }, () => {
  for (const name of [...recordedNames('webhooks'), ...recordedNames('webhook_docs')]) {
    it(`${name} is understood, or refused for what its authors left out`, () => {
      const sample = readRecorded<{ event?: string; raw_body?: string }>(name);
      const body = sample.raw_body === undefined ? sample : (JSON.parse(sample.raw_body) as { event?: string });
      if (body.event === 'ping') assert.equal(parseEvent(body, 'acme-inc', now).kind, 'ping');
      else if (body.event === undefined) assert.match(refusal(body).message, /^event /);
      else if (body.event.endsWith('.finished')) assert.match(refusal(body).message, /^build\.url /);
      else assert.deepEqual(parseEvent(body, 'org', now), { kind: 'ignored', event: body.event });
    });
  }
});

describe('a finished event that does not say where to look', () => {
  const wrong: Record<string, [unknown, string]> = {
    'without a build': [{ event: 'build.finished' }, 'build.url'],
    'without a URL': [{ ...buildFinished, build: { id: buildId } }, 'build.url'],
    'with a web address': [
      { ...buildFinished, build: { ...build, url: 'https://buildkite.com/acme/web/builds/1' } },
      'build.url',
    ],
    'with a URL that leads out': [{ ...buildFinished, build: { ...build, url: `${url}/../../../x` } }, 'build.url'],
    'with an encoded slash': [
      { ...buildFinished, build: { ...build, url: url.replace('web.app', 'a%2Fb') } },
      'build.url',
    ],
    'with build 0': [{ ...buildFinished, build: { ...build, url: url.replace('42', '0') } }, 'build.url'],
    'with an endless number': [
      { ...buildFinished, build: { ...build, url: url.replace('42', '9'.repeat(20)) } },
      'build.url',
    ],
    'with two numbers': [{ ...buildFinished, build: { ...build, number: 43 } }, 'build.number'],
    'without a build id': [{ ...buildFinished, build: { url } }, 'build.id'],
    'with an odd build id': [{ ...jobFinished, build: { ...build, id: '../../etc' } }, 'build.id'],
    'without a job': [{ event: 'job.finished', build }, 'job'],
    'with an odd job id': [{ ...jobFinished, job: { ...job, id: 7 } }, 'job.id'],
  };
  for (const [what, [body, field]] of Object.entries(wrong)) {
    it(`${what} is refused, naming ${field}`, () => {
      const { code, message } = refusal(body);
      assert.equal(code, 'ERR_DELIVERY_MALFORMED');
      assert.ok(message.startsWith(`${field} `), message);
    });
  }

  for (const body of [null, [], 'text', 7, {}, { event: null }]) {
    it(`${JSON.stringify(body)} is refused, naming event`, () => {
      assert.match(refusal(body).message, /^event /);
    });
  }

  it('is never anything but a hint, a ping, ignored or malformed, whatever JSON comes', () => {
    const events = fc.constantFrom('build.finished', 'job.finished', 'ping', 'x');
    const anything = fc.record({ event: events, build: fc.jsonValue(), job: fc.jsonValue() }, { requiredKeys: [] });
    const near = fc.record({
      event: events,
      build: fc.record({ id: fc.oneof(fc.uuid(), fc.jsonValue()), url: fc.oneof(fc.constant(url), fc.webUrl()) }),
      job: fc.oneof(fc.record({ id: fc.oneof(fc.uuid(), fc.jsonValue()) }), fc.jsonValue()),
    });
    fc.assert(
      fc.property(fc.oneof(anything, near), (body) => {
        try {
          assert.ok(['hint', 'ping', 'ignored'].includes(parseEvent(body, 'acme', now).kind));
        } catch (error) {
          assert.ok(error instanceof MirrorError && error.code === 'ERR_DELIVERY_MALFORMED', String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
