import { readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { natsPermissionsCommand } from '../../src/cli/access.ts';
import { jetstreamPermissions } from '../../src/events/jetstream-streams.ts';
import { natsUsers } from '../../src/nats/roles.ts';

async function printed(...options: readonly string[]): Promise<string> {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const command = natsPermissionsCommand(jetstreamPermissions)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  await command
    .parseAsync(['node', 'nats-permissions', '--prefix', 'rota', ...options])
    .finally(() => write.mockRestore());
  return text;
}

test('docs/nats-permissions.conf is what `rota nats-permissions` prints', async () => {
  await expect(await printed()).toMatchFileSnapshot('../../docs/nats-permissions.conf');
});

test('docs/security.md has the table of roles', async () => {
  const page = new URL('../../docs/security.md', import.meta.url);
  const text = await readFile(page, 'utf8');
  const [, , after] = /(<!-- roles[^>]*-->\n)[^]*(<!-- \/roles -->)/.exec(text) ?? [];
  expect(after, 'the place of the table').toBeDefined();
  const whole = text.replace(
    /(<!-- roles[^>]*-->\n)[^]*(<!-- \/roles -->)/,
    (_all, from, to) => `${from}\n${table()}\n${to}`,
  );
  await expect(whole).toMatchFileSnapshot(page.pathname);
});

/** A row for each subject, a column for each role. In a fence: the formatter would pad a table. */
function table(): string {
  const worker = { name: 'worker', schedulers: null };
  const jetstream = jetstreamPermissions('rota');
  const users = natsUsers({ prefix: 'rota', workers: [worker], withPublisher: true, jetstream });
  const subjects = [...new Set(users.flatMap(({ publish, subscribe }) => [...publish, ...subscribe]))];
  const rows = subjects.map((subject) => [
    subject,
    ...users.map(({ publish, subscribe }) =>
      [publish.includes(subject) && 'publish', subscribe.includes(subject) && 'subscribe'].filter(Boolean).join('+'),
    ),
  ]);
  const lines = [['', ...users.map(({ role }) => role)], ...rows].map(([subject, ...cells]) =>
    [subject!.padEnd(44), ...cells.map((cell) => cell.padEnd(10))].join(' ').trimEnd(),
  );
  const purposes = users.map(({ role, purpose }) => `- **${role}**: ${purpose}`);
  return [...purposes, '', '```text', ...lines, '```', ''].join('\n');
}

test('a worker for named schedulers takes of these alone, and has an inbox and a password of its own', async () => {
  const text = await printed('--worker', 'scan-1:boefje,report', '--worker', 'other');
  const [, scan] = text.split('user: "scan-1"');
  const its = scan!.slice(0, scan!.indexOf('user:'));
  expect([...its.matchAll(/"([^"]+)"/g)].map(([, subject]) => subject)).toEqual([
    'rota.pop.boefje',
    'rota.pop.report',
    'rota.task.get',
    'rota.task.patch',
    'rota.task.heartbeat',
    '_INBOX_scan-1.>',
    'rota.event.boefje.revoked',
    'rota.event.report.revoked',
  ]);
  expect(its).toContain('password: $ROTA_SCAN_1_PASSWORD');
});

test.for([
  ['--worker', 'two words'],
  ['--worker', 'name:'],
  ['--worker', ':boefje'],
  ['--worker', 'name:boefje,,report'],
  ['--worker', 'a:b:c'],
  ['--worker', 'name:*'],
  ['--worker', '"; '],
  ['--prefix', 'rota.>'],
  ['--worker', 'operator'],
  ['--worker', 'Supervisor'],
])('%s %s is refused, with what was expected', async (options) => {
  await expect(printed(...options)).rejects.toThrow(/expected/);
});

test('two workers whose names make one variable of their passwords are refused', async () => {
  await expect(printed('--worker', 'a-b', '--worker', 'a_b')).rejects.toThrow(/a_b: expected a name that is not taken/);
});
