/** What there is upstream now: builds by pipeline and number, jobs and artifacts by id. Given whole builds, no I/O. */
import { sha1Of, sizeOf } from './bytes.ts';
import type { SampleOrganization, SamplePipeline } from './sample.ts';
import { isScript, type SampleArtifact, type SampleBuild, type SampleJob, type ScriptJob } from './sample.ts';

export interface StoredArtifact {
  readonly artifact: SampleArtifact;
  readonly job: StoredScript;
  readonly size: number;
  readonly sha1: string | null;
  /** Of the stored bytes, whatever upstream claims. */
  readonly etag: string;
  /** How often it has been shown; an artifact may be `new` at first. */
  looks: number;
}

export interface StoredJob {
  readonly job: SampleJob;
  readonly home: StoredBuild;
}

export interface StoredScript extends StoredJob {
  readonly job: ScriptJob;
  readonly artifacts: readonly StoredArtifact[];
  /** By path; of two artifacts with one path the later is what the storage holds. */
  readonly objects: ReadonlyMap<string, StoredArtifact>;
  logLooks: number;
}

export interface StoredBuild {
  build: SampleBuild;
  /** In the build's order; those without artifacts and log among them. */
  readonly jobs: readonly (StoredJob | StoredScript)[];
  /** All artifacts but deleted ones, with and without those of replaced attempts; made when first asked for. */
  readonly listings: Map<'all' | 'current', readonly StoredArtifact[]>;
  /** Rendered answers that do not change between two `put`s. */
  readonly rendered: Map<string, string>;
}

interface Shelf {
  pipeline: SamplePipeline;
  readonly organization: SampleOrganization;
  readonly builds: Map<number, StoredBuild>;
  newestFirst: StoredBuild[] | null;
}

export class Upstream {
  readonly #shelves = new Map<string, Shelf>();
  readonly #bySlug = new Map<string, Shelf>();
  readonly #organizations = new Map<string, SampleOrganization>();
  readonly #builds = new Map<string, StoredBuild>();
  readonly #jobs = new Map<string, StoredJob | StoredScript>();
  readonly #artifacts = new Map<string, StoredArtifact>();
  readonly #hidden = new Set<string>();

  /** From now on no token may see the pipeline and what is below it, or all may again. Links that were given out still work. */
  hide(organization: string, slug: string, isHidden: boolean): void {
    const id = this.#bySlug.get(`${organization}/${slug}`)?.pipeline.id;
    if (id === undefined) throw new Error(`there is no pipeline ${organization}/${slug}`);
    if (isHidden) this.#hidden.add(id);
    else this.#hidden.delete(id);
  }

  /** Gives the pipeline another slug; its old one is nobody's then. */
  rename(organization: string, slug: string, to: string): void {
    const shelf = this.#bySlug.get(`${organization}/${slug}`);
    if (shelf === undefined) throw new Error(`there is no pipeline ${organization}/${slug}`);
    this.#bySlug.delete(`${organization}/${slug}`);
    rename(shelf, { ...shelf.pipeline, slug: to });
    this.#bySlug.set(`${organization}/${to}`, shelf);
  }

  /** With all of its builds. */
  removePipeline(organization: string, slug: string): void {
    const shelf = this.#bySlug.get(`${organization}/${slug}`);
    if (shelf === undefined) return;
    this.#deletePipeline(shelf);
    this.#bySlug.delete(`${organization}/${slug}`);
  }

  /** Adds a build, or replaces the one with its pipeline and number. A pipeline that takes another's slug deletes it. */
  put(build: SampleBuild): void {
    const shelf = this.#shelfOf(build);
    const before = shelf.builds.get(build.number);
    const stored = this.#store(build);
    if (before !== undefined) this.#forget(before);
    shelf.builds.set(build.number, stored);
    this.#builds.set(build.id, stored);
    shelf.newestFirst = null;
    for (const job of stored.jobs) {
      this.#jobs.set(job.job.id, job);
      if ('artifacts' in job) for (const artifact of job.artifacts) this.#artifacts.set(artifact.artifact.id, artifact);
    }
  }

  remove(organization: string, pipeline: string, number: number): boolean {
    const shelf = this.#bySlug.get(`${organization}/${pipeline}`);
    const stored = shelf?.builds.get(number);
    if (shelf === undefined || stored === undefined) return false;
    this.#forget(stored);
    shelf.newestFirst = null;
    return shelf.builds.delete(number);
  }

  organization(slug: string): SampleOrganization | undefined {
    return this.#organizations.get(slug);
  }

  organizations(): SampleOrganization[] {
    return [...this.#organizations.values()];
  }

  pipelines(organization: string): SamplePipeline[] {
    return this.#seen(organization).map((shelf) => shelf.pipeline);
  }

  pipeline(organization: string, slug: string): SamplePipeline | undefined {
    return this.#shelfAt(organization, slug)?.pipeline;
  }

  build(organization: string, pipeline: string, number: number): StoredBuild | undefined {
    return this.#shelfAt(organization, pipeline)?.builds.get(number);
  }

  buildById(id: string): StoredBuild | undefined {
    const stored = this.#builds.get(id);
    return stored === undefined || this.#isHidden(stored) ? undefined : stored;
  }

  /** Newest created first; of one pipeline, or of the organization. */
  builds(organization: string, pipeline?: string): readonly StoredBuild[] {
    if (pipeline === undefined)
      return newestFirst(this.#seen(organization).flatMap((shelf) => [...shelf.builds.values()]));
    const shelf = this.#shelfAt(organization, pipeline);
    if (shelf === undefined) return [];
    shelf.newestFirst ??= newestFirst([...shelf.builds.values()]);
    return shelf.newestFirst;
  }

  job(id: string): StoredJob | StoredScript | undefined {
    const stored = this.#jobs.get(id);
    return stored === undefined || this.#isHidden(stored.home) ? undefined : stored;
  }

  artifact(id: string): StoredArtifact | undefined {
    const stored = this.#artifacts.get(id);
    return stored === undefined || this.#isHidden(stored.job.home) ? undefined : stored;
  }

  /** What the storage has, which knows no pipelines. */
  get objects(): Pick<Upstream, 'job' | 'artifact'> {
    return { job: (id) => this.#jobs.get(id), artifact: (id) => this.#artifacts.get(id) };
  }

  #isHidden({ build }: StoredBuild): boolean {
    return this.#hidden.has(build.pipeline.id);
  }

  #shelfAt(organization: string, slug: string): Shelf | undefined {
    const shelf = this.#bySlug.get(`${organization}/${slug}`);
    return shelf === undefined || this.#hidden.has(shelf.pipeline.id) ? undefined : shelf;
  }

  #seen(organization: string): Shelf[] {
    const shelves = [...this.#bySlug.values()].filter((shelf) => shelf.organization.slug === organization);
    return shelves.filter(({ pipeline }) => !this.#hidden.has(pipeline.id));
  }

  #shelfOf(build: SampleBuild): Shelf {
    const { organization, pipeline } = build;
    this.#organizations.set(organization.slug, organization);
    const key = `${organization.slug}/${pipeline.slug}`;
    const holder = this.#bySlug.get(key);
    if (holder !== undefined && holder.pipeline.id !== pipeline.id) this.#deletePipeline(holder);
    let shelf = this.#shelves.get(pipeline.id);
    if (shelf === undefined) {
      shelf = { pipeline, organization, builds: new Map(), newestFirst: null };
      this.#shelves.set(pipeline.id, shelf);
    } else if (shelf.pipeline.slug !== pipeline.slug) {
      this.#bySlug.delete(`${organization.slug}/${shelf.pipeline.slug}`);
      rename(shelf, pipeline);
    }
    this.#bySlug.set(key, shelf);
    return shelf;
  }

  #deletePipeline(shelf: Shelf): void {
    for (const stored of shelf.builds.values()) this.#forget(stored);
    this.#shelves.delete(shelf.pipeline.id);
  }

  #forget(stored: StoredBuild): void {
    if (this.#builds.get(stored.build.id) === stored) this.#builds.delete(stored.build.id);
    for (const job of stored.jobs) {
      if (this.#jobs.get(job.job.id) === job) this.#jobs.delete(job.job.id);
      if (!('artifacts' in job)) continue;
      for (const artifact of job.artifacts) this.#artifacts.delete(artifact.artifact.id);
    }
  }

  #store(build: SampleBuild): StoredBuild {
    const jobs: (StoredJob | StoredScript)[] = [];
    const home: StoredBuild = { build, jobs, listings: new Map(), rendered: new Map() };
    for (const job of build.jobs) jobs.push(isScript(job) ? this.#storeScript(job, home) : { job, home });
    return home;
  }

  #storeScript(job: ScriptJob, home: StoredBuild): StoredScript {
    const artifacts: StoredArtifact[] = [];
    const objects = new Map<string, StoredArtifact>();
    const before = this.#jobs.get(job.id);
    const logLooks = before !== undefined && 'logLooks' in before && before.job.log === job.log ? before.logLooks : 0;
    const script: StoredScript = { job, home, artifacts, objects, logLooks };
    for (const artifact of job.artifacts) {
      const known = this.#artifacts.get(artifact.id);
      const { content, claims } = artifact;
      const stored: StoredArtifact = {
        artifact,
        job: script,
        size: claims?.size ?? sizeOf(content),
        sha1: claims?.sha1 === undefined ? sha1Of(content) : claims.sha1,
        etag: sha1Of(content).slice(0, 32),
        looks: known?.artifact === artifact ? known.looks : 0,
      };
      artifacts.push(stored);
      objects.set(artifact.path, stored);
    }
    return script;
  }
}

function newestFirst(builds: StoredBuild[]): StoredBuild[] {
  return builds.sort((a, b) => b.build.createdAt - a.build.createdAt || b.build.number - a.build.number);
}

function rename(shelf: Shelf, pipeline: SamplePipeline): void {
  shelf.pipeline = pipeline;
  for (const stored of shelf.builds.values()) {
    stored.build = { ...stored.build, pipeline };
    stored.rendered.clear();
  }
}
