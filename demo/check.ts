/** `--once`: fetches everything that the mirror lists, by its public addresses, and compares it with what the stand-in holds. */
import { createHash } from 'node:crypto';
import { BuildRecord, JobRecord } from '../src/model.ts';
import { placeOf } from './follow.ts';
import { type Content, digestOf, sizeOf } from './standin/bytes.ts';
import { isScript, type SampleArtifact, type SampleBuild, type ScriptJob } from './standin/sample.ts';

export interface CheckTotals {
  readonly files: number;
  readonly bytes: number;
  readonly pages: number;
  readonly redirects: number;
  readonly faults: readonly string[];
}

const requestMs = 30_000;

export async function checkAll(url: string, builds: readonly SampleBuild[]): Promise<CheckTotals> {
  const check = new Check(url);
  for (const build of builds) await check.build(build);
  for (const address of pagesOf(builds)) await check.page(address);
  for (const [address, target] of redirectsOf(builds)) await check.redirect(address, target);
  return check.totals();
}

class Check {
  readonly #url: string;
  readonly #faults: string[] = [];
  readonly #counts = { files: 0, bytes: 0, pages: 0, redirects: 0 };

  constructor(url: string) {
    this.#url = url;
  }

  totals(): CheckTotals {
    return { ...this.#counts, faults: this.#faults };
  }

  async build(build: SampleBuild): Promise<void> {
    const place = placeOf(build);
    const record = BuildRecord.parse(await this.#json(`${place}/build.json`));
    const summaries = new Map(record.jobs.map((job) => [job.id, job]));
    for (const job of build.jobs.filter(isScript).filter((each) => each.finishedAt !== null)) {
      const url = summaries.get(job.id)?.url;
      if (url == null) this.#faults.push(`${place}: job ${job.id} has no record`);
      else await this.#job(place, build, job, JobRecord.parse(await this.#json(`${place}/${url}`)));
    }
  }

  async #job(place: string, build: SampleBuild, job: ScriptJob, record: JobRecord): Promise<void> {
    const recorded = new Map(record.artifacts.map((artifact) => [artifact.id, artifact]));
    const sums: string[] = [];
    for (const artifact of job.artifacts) {
      const found = recorded.get(artifact.id);
      const name = `${place}/jobs/${job.id}: ${artifact.path}`;
      if (found === undefined) this.#faults.push(`${name} is not in job.json`);
      else if (found.state !== 'present') this.#expectAbsence(name, artifact, found.state, found.reason);
      else {
        await this.#file(`${place}/${found.url}`, artifact.content);
        if (found.merged) await this.#file(`${place}/artifacts/${encode(artifact.path)}`, artifact.content);
        sums.push(`${found.sha256}  ${decodeURIComponent(found.url ?? '').replace(`jobs/${job.id}/`, '')}`);
      }
    }
    if (job.log !== null) await this.#file(`${place}/jobs/${job.id}/log.txt`, job.log.content);
    if (sums.length > 0) await this.#sums(`${place}/jobs/${job.id}/SHA256SUMS`, sums);
    if (record.settled) return;
    this.#faults.push(`${place}: job ${job.id} of build ${build.number} is not settled`);
  }

  #expectAbsence(name: string, artifact: SampleArtifact, state: string, reason: string | null): void {
    if (artifact.state === 'finished') this.#faults.push(`${name} is ${state}: ${reason}`);
    else if (reason === null || reason === '') this.#faults.push(`${name} is ${state} without a reason`);
  }

  /** Length and SHA-256 of what the address gives. */
  async #file(address: string, content: Content): Promise<void> {
    const response = await this.#get(address);
    if (response.status !== 200) {
      this.#faults.push(`${address}: ${response.status}`);
      await response.body?.cancel();
      return;
    }
    const sum = createHash('sha256');
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      sum.update(chunk);
      bytes += chunk.length;
    }
    this.#counts.files += 1;
    this.#counts.bytes += bytes;
    if (bytes !== sizeOf(content)) this.#faults.push(`${address}: ${bytes} bytes, not ${sizeOf(content)}`);
    else if (sum.digest('hex') !== digestOf(content, 'sha256'))
      this.#faults.push(`${address}: other bytes than upstream's`);
  }

  async #sums(address: string, wanted: readonly string[]): Promise<void> {
    const lines = new Set((await (await this.#get(address)).text()).split('\n'));
    const absent = wanted.filter((line) => !lines.has(line));
    if (absent.length > 0) this.#faults.push(`${address}: lacks ${absent.length} lines, as "${absent[0]}"`);
  }

  async page(address: string): Promise<void> {
    const response = await this.#get(address, { Accept: 'text/html' });
    const body = await response.text();
    this.#counts.pages += 1;
    const isPage = response.headers.get('content-type')?.startsWith('text/html') === true && body.includes('</html>');
    if (response.status !== 200 || !isPage) this.#faults.push(`/${address}: ${response.status}, not a page`);
  }

  async redirect(address: string, target: string): Promise<void> {
    const response = await this.#get(address);
    await response.body?.cancel();
    this.#counts.redirects += 1;
    const location = response.headers.get('location');
    const leads = location === null ? null : new URL(location, this.#url).pathname;
    if (response.status === 302 && leads === `/${target}`) return;
    this.#faults.push(`/${address}: ${response.status} to ${leads}, not to /${target}`);
  }

  async #json(address: string): Promise<unknown> {
    const response = await this.#get(address);
    if (response.status !== 200) throw new Error(`/${address} was answered ${response.status}`);
    return response.json();
  }

  async #get(address: string, headers: Record<string, string> = {}): Promise<Response> {
    const signal = AbortSignal.timeout(requestMs);
    return fetch(`${this.#url}/${address}`, { headers, redirect: 'manual', signal });
  }
}

function encode(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function pagesOf(builds: readonly SampleBuild[]): string[] {
  const pages = new Set(['']);
  for (const build of builds) {
    const { organization, pipeline } = build;
    pages.add(`${organization.slug}/`).add(`${organization.slug}/${pipeline.slug}/`);
    pages.add(`${organization.slug}/${pipeline.slug}/builds/`).add(`${placeOf(build)}/`);
    for (const job of build.jobs.filter(isScript).filter((each) => each.finishedAt !== null)) {
      pages.add(`${placeOf(build)}/jobs/${job.id}/`);
      if (job.log !== null) pages.add(`${placeOf(build)}/jobs/${job.id}/log/`);
      if (job.artifacts.length > 0) pages.add(`${placeOf(build)}/jobs/${job.id}/artifacts/?list`);
    }
    if (build.jobs.some((job) => isScript(job) && job.artifacts.length > 0))
      pages.add(`${placeOf(build)}/artifacts/?list`);
  }
  return [...pages];
}

/** `latest` of each branch with a passed build, and the address of each commit and pull request: address → target. */
function redirectsOf(builds: readonly SampleBuild[]): Map<string, string> {
  const newest = new Map<string, SampleBuild>();
  const offer = (address: string, build: SampleBuild): void => {
    if ((newest.get(address)?.number ?? 0) < build.number) newest.set(address, build);
  };
  for (const build of builds) {
    if (build.state !== 'passed' || build.blocked || build.finishedAt === null) continue;
    const home = `${build.organization.slug}/${build.pipeline.slug}`;
    if (!isFork(build)) offer(`${home}/latest/${build.branch}/-/build.json`, build);
    offer(`${home}/commits/${build.commit}/-/build.json`, build);
    if (build.pullRequest !== null) offer(`${home}/pulls/${build.pullRequest.id}/-/build.json`, build);
  }
  return new Map([...newest].map(([address, build]) => [address, `${placeOf(build)}/build.json`]));
}

/** Of a pull request from another repository than the pipeline's own: its branch is not the pipeline's. */
function isFork({ pullRequest, pipeline }: SampleBuild): boolean {
  return pullRequest !== null && nameOf(pullRequest.repository) !== nameOf(pipeline.repository);
}

/** `owner/name` of a repository's address in any of its spellings. */
function nameOf(repository: string): string {
  return repository
    .replace(/\.git$/, '')
    .split(/[/:]/)
    .slice(-2)
    .join('/')
    .toLowerCase();
}
