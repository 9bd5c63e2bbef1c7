import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../src/embedded/process.ts';
import { connectRota } from '../../src/nats/client.ts';
import { type Debian, findDebian, noDebian, openDebian, raised, type Running } from '../support/debian.ts';
import { Mula, mulaTask } from '../support/mula-database.ts';
import { type House, openHouse } from '../support/rota.ts';

/**
 * The commands of docs/debian.md in their order, in a Debian that has no KAT but its settings and its database. No apt there, but
 * dpkg; and no running systemd: its `systemctl` enables and disables, and this test starts what a unit says.
 */
const root = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(root, 'docs/debian.md'), 'utf8');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const higher = '99.0.0';
/** Each of two parts; half a minute alone, of a machine that runs other tests beside it. */
const withinMs = 240_000;

const steps = [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  block!
    .split(/^\$ /m)
    .slice(1)
    .map((step) => ({ command: step.split('\n')[0]!, output: step.split('\n').slice(1).join('\n').trim() })),
);

describe.skipIf(await noDebian())('docs/debian.md', () => {
  let debian: Debian;
  let house: House;
  let deb: string;
  let upgrade: string;
  let folder: string;
  let natsPort: number;
  let apiPort: number;
  let password = '';
  const task = mulaTask({ priority: 1 });
  const running = new Map<string, Running>();

  beforeAll(async () => {
    await findDebian();
    folder = await mkdtemp(join(tmpdir(), 'rota-deb-'));
    await promisify(execFile)('make', ['--silent', '--directory', root, 'deb', `ARGS=-Znone`, `TO=${folder}`], {
      maxBuffer: 2 ** 26,
    });
    const [file] = await readdir(folder);
    deb = join(folder, file!);
    upgrade = await raised(deb, higher);
    debian = await openDebian();
    house = await openHouse({
      async prepare(databaseUrl) {
        const client = new Client({ connectionString: databaseUrl });
        await client.connect();
        await client.query(readFileSync(join(root, 'sql/migrations/0001_mula.sql'), 'utf8'));
        await new Mula(client).createTask(task);
        await client.end();
      },
    });
    [natsPort, apiPort] = [await freePort(), await freePort()];
    await promisify(execFile)('mkdir', ['-p', join(debian.root, 'etc/kat')]);
    const kat = {
      SCHEDULER_API_HOST: 'localhost',
      SCHEDULER_API_PORT: '8004',
      SCHEDULER_LOG_CFG: '/etc/kat/mula.logging.json',
      SCHEDULER_PQ_MAXSIZE: '1000',
      SCHEDULER_RABBITMQ_DSN: '',
      QUEUE_URI: house.amqpUrl,
      KATALOGUS_API: house.kat.urls.katalogus,
      BYTES_API: house.kat.urls.bytes,
      OCTOPOES_API: house.kat.urls.octopoes,
      BYTES_USERNAME: house.kat.credentials.username,
      BYTES_PASSWORD: house.kat.credentials.password,
      SCHEDULER_DB_URI: house.databaseUrl,
    };
    const lines = Object.entries(kat).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(debian.root, 'etc/kat/mula.conf'), `# Host address, default: localhost\n${lines.join('')}`);
    // What the page disables and enables.
    await writeFile(
      join(debian.root, 'usr/lib/systemd/system/kat-mula.service'),
      '[Service]\nUser=root\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
    );
    await done('systemctl enable kat-mula');
  }, withinMs);
  afterAll(async () => {
    for (const { child, ended } of running.values()) {
      child.kill('SIGKILL');
      await ended;
    }
    await debian?.remove();
    await house?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  async function done(command: string, code = 0): Promise<string> {
    const ended = await debian.run(command);
    expect(ended.code, `${command}\n${ended.output}`).toBe(code);
    return ended.output.trim();
  }

  /** Does what a command of the page says. @returns what it prints */
  async function take(command: string): Promise<string> {
    if (/^sudo apt install \.\/rota_\*\.deb$/.test(command)) return install();
    const [, how] = /^sudo apt (remove|purge) rota$/.exec(command) ?? [];
    if (how !== undefined) return done(`dpkg --${how} rota`);
    const [, path] = /^curl -s http:\/\/localhost:8004(\S*)$/.exec(command) ?? [];
    if (path !== undefined) return (await fetch(`http://127.0.0.1:${apiPort}${path}`)).text();
    if (command.startsWith('password=')) {
      password = await done(`${command}; echo "$password"`);
      expect(password).toMatch(/^r[0-9a-f]{48}$/);
      return '';
    }
    const [, verb, now, unit] = /^sudo systemctl (enable|disable|restart)( --now)? (\S+)$/.exec(command) ?? [];
    if (unit === undefined) return done(`password=${password}; ${command}`, command.endsWith('--dry-run') ? 1 : 0);
    const output = verb === 'restart' ? '' : await done(command.replace(now!, ''));
    if (unit === 'kat-mula') return output;
    if (verb !== 'enable') await stop(unit);
    if (verb !== 'disable') await start(unit);
    return output;
  }

  async function install(): Promise<string> {
    const first = !(await debian.exists('usr/bin/rota'));
    await promisify(execFile)('cp', [first ? deb : upgrade, join(debian.root, 'tmp/rota.deb')]);
    const output = await done('dpkg --force-unsafe-io --install /tmp/rota.deb; code=$?; rm /tmp/rota.deb; exit $code');
    if (!first) return output;
    expect(await done('stat -c "%a %U:%G" /etc/rota/rota.env')).toBe('640 root:rota');
    // Ports that other tests do not have; edits of the settings, too, which an upgrade must keep.
    await done(
      `sed -i 's/^\\(NATS_URL=.*\\):4222$/\\1:${natsPort}/; s/^SCHEDULER_API_PORT=8004$/SCHEDULER_API_PORT=${apiPort}/' /etc/rota/rota.env` +
        ` && sed -i 's/^port: 4222$/port: ${natsPort}/' /etc/nats-server.conf`,
    );
    return output;
  }

  async function start(unit: string): Promise<void> {
    const started = await debian.start(unit);
    running.set(unit, started);
    const serves = unit === 'rota' ? ready : accepts;
    const state = () => Promise.race([serves(), started.ended.then((code) => `ended with ${code}`)]);
    await expect
      .poll(state, { timeout: 60_000 })
      .toBe(true)
      .catch((error: unknown) => {
        throw new Error(`${unit} does not serve:\n${started.output()}`, { cause: error });
      });
  }

  async function stop(unit: string): Promise<void> {
    const stopping = running.get(unit);
    running.delete(unit);
    stopping?.child.kill('SIGTERM');
    if (unit === 'rota') expect(await stopping!.ended, stopping!.output()).toBe(0);
  }

  const ready = () =>
    fetch(`http://127.0.0.1:${apiPort}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  const accepts = () =>
    connect().then(
      (client) => client.close().then(() => true),
      (error: unknown) => String(error),
    );
  const connect = () => connectRota({ servers: `nats://scheduler:${password}@127.0.0.1:${natsPort}` });

  /** What holds once a command is done, the first time and the second. */
  const holds: readonly (readonly [command: RegExp, ...times: (() => Promise<void>)[]])[] = [
    [
      /apt install/,
      async () => {
        expect(await done('systemctl is-enabled rota', 1)).toBe('disabled');
        expect(await done('systemd-analyze verify /usr/lib/systemd/system/rota.service')).toBe('');
        expect(await tables()).not.toContain('queue');
        expect(await done('sudo -u nobody rota --version')).toBe(version);
        expect((await debian.run('sudo -u nobody rota status')).output).toContain(
          '/etc/rota/rota.env is not readable, and NATS_URL is not set: try sudo -u rota rota status',
        );
      },
      async () => {
        expect(await debian.read('etc/rota/rota.env')).toContain(`NATS_PASSWORD=${password}`);
        expect(await done('stat -c "%a %U:%G" /etc/rota/rota.env')).toBe('640 root:rota');
        // What ran goes on.
        expect(await ask('GET', '/health')).toMatchObject({ version });
      },
    ],
    [
      /grep -E/,
      async () => {
        const settings = await debian.read('etc/rota/rota.env');
        expect(settings).toContain(`SCHEDULER_DB_URI=${house.databaseUrl}`);
        for (const name of ['SCHEDULER_PQ_MAXSIZE', 'SCHEDULER_LOG_CFG', 'SCHEDULER_RABBITMQ_DSN'])
          expect(settings).not.toMatch(new RegExp(`^${name}=`, 'm'));
      },
    ],
    [
      /enable --now rota/,
      async () => {
        expect(await done('systemctl is-enabled rota')).toBe('enabled');
        const { pid } = running.get('rota')!.child;
        const uid = await done('id -u rota');
        expect(await done(`grep ^Uid: /proc/${pid}/status`)).toBe(`Uid:\t${[uid, uid, uid, uid].join('\t')}`);
        // What mula had queued, to a runner over REST, and what is pushed, to a worker over NATS.
        expect(await ask('POST', '/schedulers/boefje/pop?limit=1')).toMatchObject({ results: [{ id: task.id }] });
        const client = await connect();
        const data = { organisation_id: 'aa', report_recipe_id: 'recipe' };
        await ask('POST', '/schedulers/report/push', { organisation: 'aa', priority: 1, data });
        const popped = await client.pop('report', { worker: 'debian' });
        await client.close();
        expect(popped).toMatchObject([{ data }]);
      },
    ],
    [/restart rota/, async () => expect(await ask('GET', '/health')).toMatchObject({ version: higher })],
    [
      /apt remove/,
      async () => {
        expect(await debian.exists('usr/lib/rota')).toBe(false);
        expect(await debian.exists('etc/rota/rota.env')).toBe(true);
      },
    ],
    [
      /apt purge/,
      async () => {
        const named = "find / -xdev -iname '*rota*' -not -iname '*rotat*' -not -path '/proc/*'";
        expect(await done(named)).toBe('');
        expect(await done('getent passwd rota || getent group rota || echo none')).toBe('none');
        expect(await tables()).toContain('queue');
      },
    ],
  ];

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, { method, ...(body === undefined ? {} : json) });
    expect(answer.status, path).toBeLessThan(300);
    return answer.json();
  }

  /** On a connection of its own: `--back-to-mula` is refused while Rota's clients are connected. */
  async function tables(): Promise<readonly string[]> {
    const client = new Client({ connectionString: house.databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ name: string }>('SELECT tablename AS name FROM pg_tables');
    await client.end();
    return rows.map(({ name }) => name);
  }

  test(
    'its commands install, take mula’s place, upgrade, give it back, and leave nothing',
    { timeout: withinMs },
    async () => {
      const times = new Map<RegExp, number>();
      for (const { command, output } of steps) {
        expect(await take(command), command).toMatch(patternOf(output));
        for (const [about, ...checks] of holds.filter(([pattern]) => pattern.test(command))) {
          const time = times.get(about) ?? 0;
          times.set(about, time + 1);
          await checks[time]?.();
        }
      }
      for (const [about, ...checks] of holds)
        expect(times.get(about), String(about)).toBeGreaterThanOrEqual(checks.length);
    },
  );
});

/** A page shows what matters; `…` stands for anything. */
function patternOf(output: string): RegExp {
  const parts = output.split('…').map((part) => part.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^\\s*${parts.join('[\\s\\S]*')}\\s*$`);
}
