/** The people, pipelines and (made-up) secrets of the organization `acme`, which all samples belong to. */
import { uuidFrom } from '../standin/ids.ts';
import type { SampleOrganization, SamplePerson, SamplePipeline } from '../standin/sample.ts';

const founded = Date.UTC(2023, 3, 12, 12, 43);

export const acme: SampleOrganization = {
  id: uuidFrom('organization acme', founded),
  slug: 'acme',
  name: 'Acme',
  createdAt: founded,
};

/** Upstream shows these, and nobody may keep them: tests look for them wherever the mirror writes. */
export const plantedSecrets = {
  pipelineEnv: 'planted-env-7f3c1d5e9a',
  configuration: 'planted-configuration-b81e62c4',
  webhookUrl: 'planted-webhook-c40d97aa15e3',
  email: 'planted.mail@acme.example',
  metaData: 'planted-meta-data-5d2e8f61',
  buildEnv: 'planted-build-env-93ab07c2',
} as const;

export const people = {
  mira: person('Mira Okafor'),
  jonas: person('Jonas Lindqvist'),
  priya: person('Priya Raman'),
  tomas: person('Tomás Herrera'),
} as const;

function person(name: string): SamplePerson {
  return { id: uuidFrom(`person ${name}`, founded), name, email: plantedSecrets.email };
}

/** @param seed another one under the same slug is another pipeline */
export function makePipeline(slug: string, seed = slug): SamplePipeline {
  const { name, description } = known[slug] ?? { name: slug, description: '' };
  return {
    id: uuidFrom(`pipeline ${seed}`, founded + 86_400_000),
    slug,
    name,
    description,
    repository: `git@github.com:acme/${slug}.git`,
    defaultBranch: 'main',
    createdAt: founded + 86_400_000,
    createdBy: people.mira,
    env: { DEPLOY_PASSWORD: plantedSecrets.pipelineEnv },
    configuration: `env:\n  SIGNING_KEY: ${plantedSecrets.configuration}\nsteps:\n  - command: make\n`,
    webhookUrl: `https://webhook.buildkite.com/deliver/${plantedSecrets.webhookUrl}`,
  };
}

const known: Readonly<Record<string, { readonly name: string; readonly description: string }>> = {
  web: { name: 'Web', description: 'The shop that customers see' },
  api: { name: 'API', description: 'Orders, payments and stock' },
};
