import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * `npm run release -- 0.2.0`: looks whether this commit can be released as that version, and tags it. `--dry-run` only looks.
 * `--tagged`, which `npm publish` asks for: whether this commit is the one that bears the tag of its version. CONTRIBUTING.md has the steps.
 */
const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const say = (line: string) => void process.stdout.write(`${line}\n`);
const usage = 'npm run release -- 0.2.0 [--dry-run]';

const own = (JSON.parse(read('package.json')) as { version: string }).version;
const { version, tagged, dryRun } = argumentsOf(process.argv.slice(2));
const tag = `v${version}`;
const faults = [...versionFaults(), ...changelogFaults(), ...treeFaults(), ...packFaults()];
for (const fault of faults) say(`✗ ${fault}`);
if (faults.length > 0) process.exit(1);
if (dryRun) say(`✓ ${version} can be released: ${usage.replace('0.2.0 [--dry-run]', version)}`);
else if (!tagged) {
  git('tag', '--annotate', tag, '--message', `Rota ${version}`);
  say(`✓ ${tag} is made. What is left: git push origin ${tag}, and npm publish`);
}

function argumentsOf(args: readonly string[]): { version: string; tagged: boolean; dryRun: boolean } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { 'dry-run': { type: 'boolean', default: false }, tagged: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    const [named = values.tagged ? own : ''] = positionals;
    if (!/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(named) || positionals.length > 1)
      throw new TypeError(`expected one version such as 0.2.0, not '${positionals.join(' ')}'`);
    return { version: named, tagged: values.tagged, dryRun: values['dry-run'] };
  } catch (error) {
    process.stderr.write(`release: ${(error as Error).message}: ${usage}\n`);
    return process.exit(64);
  }
}

/** Every file that has a version of its own. The Debian package takes that of package.json. */
function versionFaults(): readonly string[] {
  const lock = JSON.parse(read('package-lock.json')) as { version: string; packages: { '': { version: string } } };
  const python = 'clients/python/pyproject.toml';
  const found: readonly (readonly [string, string | undefined])[] = [
    ['package.json', own],
    ['package-lock.json', lock.version],
    ["package-lock.json, packages['']", lock.packages[''].version],
    ...(existsSync(join(root, python)) ? [[python, /^version = "(.*)"$/m.exec(read(python))?.[1]] as const] : []),
  ];
  return found
    .filter(([, is]) => is !== version)
    .map(([file, is]) => `${file}: expected version ${version}, found ${is ?? 'none'}`);
}

/** `## 0.2.0 – 2026-12-01` with what users notice below it. */
function changelogFaults(): readonly string[] {
  const sections = read('CHANGELOG.md').split(/^## /m).slice(1);
  const [latest] = sections;
  const section = sections.find((text) => text.split(' ')[0] === version);
  if (section === undefined) return [`CHANGELOG.md: expected a section ## ${version} – <date>`];
  return [
    ...(section === latest ? [] : [`CHANGELOG.md: expected ${version} as its first section`]),
    ...(/^\S+ – \d{4}-\d\d-\d\d\n/.test(section)
      ? []
      : [`CHANGELOG.md: expected ## ${version} – <the day of the release, as 2026-12-01>`]),
    ...(/^- \S/m.test(section) ? [] : [`CHANGELOG.md: expected what users notice of ${version}, as a list`]),
  ];
}

function treeFaults(): readonly string[] {
  const changed = git('status', '--porcelain')
    .split('\n')
    .filter((line) => line !== '');
  const unclean =
    changed.length > 0 ? [`working tree: expected nothing uncommitted, found ${changed.slice(0, 5).join(', ')}`] : [];
  const at = git('tag', '--list', tag) === '' ? null : git('rev-list', '-1', tag);
  if (!tagged)
    return at === null ? unclean : [...unclean, `tag ${tag}: expected none yet; it is at ${at.slice(0, 10)}`];
  return at === git('rev-parse', 'HEAD') ? unclean : [...unclean, `tag ${tag}: expected at this commit: ${usage}`];
}

/** Builds and packs; `npm publish` does so itself. */
function packFaults(): readonly string[] {
  if (tagged) return [];
  const folder = mkdtempSync(join(tmpdir(), 'rota-release-'));
  try {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], {
      cwd: root,
      stdio: 'pipe',
      encoding: 'utf8',
    });
    return [];
  } catch (error) {
    const { stderr = '', stdout = '', message } = error as { stderr?: string; stdout?: string; message: string };
    return [`npm pack: ${`${stdout}${stderr}`.trim() || message}`];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
