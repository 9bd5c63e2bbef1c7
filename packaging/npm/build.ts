import { execFileSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/**
 * Builds lib/, which `npm pack` ships in place of the sources: Node runs no TypeScript below node_modules. Its folders are those of the
 * repository, so that a file finds its statements, migrations and browser files by the same relative path in both.
 */
const root = join(import.meta.dirname, '../..');
const lib = join(root, 'lib');
const { version, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  exports: Readonly<Record<string, { readonly types: string }>>;
};

rmSync(lib, { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'packaging/npm/tsconfig.json')], {
  stdio: 'inherit',
});

// src/cli.ts and src/main.ts read it one folder above theirs.
writeFileSync(join(lib, 'package.json'), `${JSON.stringify({ type: 'module', version }, null, 2)}\n`);
const asTheyAre = ['sql', 'src/launch.sh', 'docs/deploy/nats-server.conf'];
for (const path of asTheyAre) cpSync(join(root, path), join(lib, path), { recursive: true });
for (const path of globSync('src/page/browser/*.{js,css,svg}', { cwd: root }))
  cpSync(join(root, path), join(lib, path));

// The compiler leaves `.ts` in the imports of declarations. Those that no entry of the package leads to are of no use.
const wanted = new Set<string>();
for (const { types } of Object.values(exports)) if (types !== undefined) want(join(root, types));
for (const path of globSync('**/*.d.ts', { cwd: lib })) if (!wanted.has(join(lib, path))) rmSync(join(lib, path));
process.stdout.write(`${relative(root, lib)}: ${globSync('**/*.*', { cwd: lib }).length} files\n`);

function want(file: string): void {
  if (wanted.has(file)) return;
  wanted.add(file);
  const imports: string[] = [];
  const text = readFileSync(file, 'utf8').replaceAll(
    /(["'])(\.\.?\/[^"']+)\.ts\1/g,
    (_all, quote: string, path: string) => {
      imports.push(join(dirname(file), `${path}.d.ts`));
      return `${quote}${path}.js${quote}`;
    },
  );
  writeFileSync(file, text);
  for (const path of imports) want(path);
}
