import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { compose } from '../support/compose.ts';
import { furtherDifferences, intendedDifferences } from '../fixtures/intended-differences.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/migrating-from-mula.md');

/** Rows of the table below a heading, without its head. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const section = guide.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll(String.raw`\|`, '|')),
    );
}

test('the guide lists every intended difference, and no other: what the replay of recorded answers tolerates', () => {
  const expected = [...intendedDifferences, ...furtherDifferences].map(({ when, mula, rota, why }) => [
    when,
    mula,
    rota,
    why,
  ]);
  expect(rowsBelow('What answers differently')).toEqual(
    // Two recorded requests may show the same difference.
    expected.filter((row, n) => expected.findIndex((other) => other.join() === row.join()) === n),
  );
});

const natsUser = {
  NATS_USER: '${NATS_USER:-scheduler}',
  NATS_PASSWORD: '${NATS_PASSWORD:?it is not set, see compose.yaml of Rota}',
};

interface Service {
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: object;
  readonly networks: object;
}

describe.each(['docker-compose.yml', 'docker-compose.release-example.yml'])(
  'the guide’s file beside KAT’s %s',
  (file) => {
    const text = read(`test/fixtures/kat-compose/${file}`);
    const kat = parse(text) as Compose;
    const override = /```yaml\n([\s\S]*?)```/.exec(guide)![1]!;
    const together = compose<Compose>(text, override);

    test('makes mula’s service Rota’s, and keeps its name, port, files of variables, restart and dependencies', () => {
      const {
        build: _build,
        image: _image,
        volumes: _volumes,
        depends_on,
        ...kept
      } = kat.services['scheduler'] as Record<string, unknown>;
      expect(together.services['scheduler']).toEqual({
        ...kept,
        image: 'rota',
        // No target, which a build of ours has not, and no source of mula's over it.
        build: { context: 'rota/' },
        environment: { NATS_URL: 'nats://nats:4222', ...natsUser },
        // As in our own compose.yaml.
        read_only: true,
        tmpfs: ['/tmp'],
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        depends_on: [...(depends_on as string[]), 'nats'],
        stop_grace_period: '30s',
      });
      expect(JSON.stringify(together.services['scheduler'])).not.toContain('mula');
    });

    test('adds NATS, as our own compose.yaml has it, and changes nothing else', () => {
      const { scheduler: _ours, nats, ...others } = together.services;
      const { scheduler: _mula, ...katOthers } = kat.services;
      expect(others).toEqual(katOthers);
      const { restart: _restart, ...own } = (
        parse(read('compose.yaml').replaceAll('./docs/deploy', './rota/docs/deploy'), { merge: true }) as Compose
      ).services['nats'] as Record<string, unknown>;
      expect(nats).toMatchObject(own);
      expect(together.volumes).toEqual({ ...kat.volumes, 'nats-data': null });
      expect(together.networks).toEqual(kat.networks);
    });

    test('is what the image needs: its port, its variables, NATS by its name, and no token that KAT’s clients would not send', () => {
      const { ports, environment } = together.services['scheduler']!;
      const [, port] = /^EXPOSE (\d+)$/m.exec(read('Dockerfile'))!;
      expect(ports!.map((mapping) => mapping.split(':').at(-1))).toEqual([port]);
      const config = readConfig({ ...katEnvironment(), ...environment, NODE_ENV: 'production' });
      expect(config).toMatchObject({ SCHEDULER_API_PORT: Number(port), DATABASE_MIGRATION: true });
      expect(Object.keys(together.services)).toContain(new URL(config.NATS_URL!).hostname);
      expect(config.SCHEDULER_API_TOKEN).toBeUndefined();
      for (const name of ['SCHEDULER_DB_URI', 'QUEUE_URI', 'KATALOGUS_API', 'OCTOPOES_API', 'BYTES_API'] as const) {
        expect(config[name], name).toBeDefined();
      }
    });

    test('leaves Rota and NATS out of reach of boefjes and of other hosts', () => {
      for (const name of ['scheduler', 'nats']) {
        const { ports = [], networks = ['default'] } = together.services[name]!;
        expect(networks, name).toEqual(['default']);
        for (const mapping of ports) expect(mapping, name).toMatch(/^127\.0\.0\.1:/);
      }
    });
  },
);

function katEnvironment(): Record<string, string> {
  const lines = read('test/fixtures/kat-compose/env')
    .split('\n')
    .filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
