import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { validate as lint } from 'dockerfile-utils';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { expect, onTestFinished, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { environment } from '../../src/config/variables.ts';
import { accessOf } from '../../src/rest/access.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** By kind: what the API server checks at its runtime, and where the types are that name each field. */
const models = {
  Deployment: { model: Deployment, types: 'kubernetes-models/apps/v1' },
  NetworkPolicy: { model: NetworkPolicy, types: 'kubernetes-models/networking.k8s.io/v1' },
  PodDisruptionBudget: { model: PodDisruptionBudget, types: 'kubernetes-models/policy/v1' },
  ScaledObject: { model: ScaledObject, types: '@kubernetes-models/keda/keda.sh/v1alpha1' },
  Service: { model: Service, types: 'kubernetes-models/v1' },
} as const;

function manifestsOf(path: string): readonly Manifest[] {
  return parseAllDocuments(read(path)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });
}
const rota = manifestsOf('docs/deploy/kubernetes/rota.yaml');
const workers = manifestsOf('docs/deploy/kubernetes/workers.yaml');

/**
 * Against the published schemas, and against the types made of them: schemas let pass a field that they do not know, which the
 * API server drops or refuses.
 */
async function check(manifests: readonly Manifest[]): Promise<string> {
  const lines = manifests.flatMap((manifest, at) => {
    const { apiVersion, kind, ...rest } = manifest;
    const { model, types } = models[kind as keyof typeof models];
    const made = new (model as new (of: object) => { apiVersion: string; kind: string; validate(): void })(rest);
    expect([apiVersion, kind]).toEqual([made.apiVersion, made.kind]);
    made.validate();
    return [
      `import type { I${kind} as Kind${at} } from '${types}';`,
      `export const manifest${at}: Kind${at} = ${JSON.stringify(manifest)};`,
    ];
  });
  // Below the checkout, where packages are found.
  await mkdir(join(root, '.rota'), { recursive: true });
  const directory = await mkdtemp(join(root, '.rota/manifests-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'manifests.ts');
  await writeFile(file, lines.join('\n'));
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', '', '--ignoreConfig'];
  return promisify(execFile)(join(root, 'node_modules/.bin/tsc'), [...flags, file]).then(
    () => '',
    (error: { stdout: string }) => error.stdout,
  );
}

test('the manifests of Kubernetes and KEDA are as their schemas say, and name no other field', async () => {
  expect(rota.map(({ kind }) => kind)).toEqual(['Deployment', 'PodDisruptionBudget', 'Service', 'NetworkPolicy']);
  expect(workers.map(({ kind }) => kind)).toEqual(['Deployment', 'ScaledObject']);
  expect(await check([...rota, ...workers])).toBe('');
});

test.each([
  ['a misspelt field', 'readOnlyRootFilesystem', 'readOnlyRootFileSystem'],
  ['a field in another place', '"replicas":2,', '"replicas":2,"readinessProbe":{},'],
])('%s would be seen', async (_what, from, to) => {
  const spoilt = JSON.parse(JSON.stringify(rota).replace(from, to)) as Manifest[];
  expect(await check(spoilt)).toMatch(/error TS2353/);
});

test('a value of another kind would be seen', async () => {
  const spoilt = JSON.parse(JSON.stringify(rota).replace('"periodSeconds":5', '"periodSeconds":"5s"')) as Manifest[];
  await expect(check(spoilt)).rejects.toThrow(/periodSeconds/);
});

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}
interface Container {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly startupProbe: Probe;
}
interface PodSpec {
  readonly containers: readonly [Container];
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: object;
}
const pod = (manifests: readonly Manifest[]) =>
  (manifests[0] as unknown as { spec: { template: { spec: PodSpec } } }).spec.template.spec;

test('Rota’s Deployment has variables that Rota reads, the port that it listens on, and probes that need no token', () => {
  const [container] = pod(rota).containers;
  const given = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
  const fromSecret = /--from-env-file=rota\.env +# ([A-Z_, ]+)$/m.exec(read('docs/deploy/kubernetes/rota.yaml'))![1]!;
  for (const name of [...Object.keys(given), ...fromSecret.split(', ')]) expect(environment.shape).toHaveProperty(name);
  const config = readConfig(given);
  expect(config.unread).toEqual([]);
  expect(container.ports).toEqual([{ name: 'rest', containerPort: config.SCHEDULER_API_PORT }]);
  for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe'] as const) {
    const { path, port } = container[probe].httpGet;
    expect(port).toBe('rest');
    expect(accessOf[`GET ${path}`], probe).toBe('open');
  }
  expect(container.livenessProbe.httpGet.path).not.toBe('/ready');
  // Two, a third during a rollout, three connections more at need of each, within Postgres' 100 and the three that it reserves.
  expect(3 * (config.SCHEDULER_DB_CONNECTION_POOL_SIZE + 3)).toBeLessThan(100 - 3);
});

test.each([
  ['Rota', rota],
  ['a worker', workers],
])('%s runs with no more than it needs', (_name, manifests) => {
  const spec = pod(manifests);
  expect(spec).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      },
    ],
  });
  expect(spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(30);
  expect(spec.containers[0].image).toMatch(/:\d+\.\d+\.\d+$/);
});

test('what selects Rota’s pods selects those that the Deployment makes', () => {
  const labels = (rota[0] as unknown as { spec: { template: { metadata: { labels: object } } } }).spec.template.metadata
    .labels;
  const selectors = JSON.parse(
    JSON.stringify(rota.slice(1).map((manifest) => Object(manifest)['spec'])),
    (key, value) =>
      key === 'podSelector' && Object.keys(value as object).length === 0 ? undefined : (value as unknown),
  ) as { selector?: { matchLabels?: object }; podSelector?: { matchLabels: object } }[];
  for (const { selector, podSelector } of selectors)
    expect(podSelector?.matchLabels ?? selector?.matchLabels ?? selector).toEqual(labels);
});

test('workers are scaled by metrics that Rota has', () => {
  const { spec } = workers[1] as unknown as { spec: { triggers: { metadata: { query: string } }[] } };
  const named = [...spec.triggers[0]!.metadata.query.matchAll(/\((\w+)\{(\w+)=/g)].map(([, name, label]) => [
    name,
    label,
  ]);
  expect(named).toHaveLength(4);
  const metrics = read('docs/metrics.md');
  for (const [name, label] of named)
    expect(metrics).toMatch(new RegExp(`^\\| \`${name}\` \\| gauge \\| \`${label}\``, 'm'));
});

test('the Dockerfile has no fault that its language service knows', () => {
  expect(lint(read('Dockerfile'))).toEqual([]);
  expect(lint('FROM node\nCOPY a\nEXPOSE no\n').length).toBeGreaterThan(1);
});
