import { expect, test } from 'vitest';
import type { z } from 'zod';
import { allowedIn } from '../../src/config/values.ts';
import { environment } from '../../src/config/variables.ts';

/** `make utest file=test/docs/configuration.test.ts` shows a difference; `vitest run -u` rewrites the page. */
test('docs/configuration.md lists every variable with its default and what it allows', async () => {
  await expect(page()).toMatchFileSnapshot('../../docs/configuration.md');
});

function page(): string {
  const rows = Object.entries<z.ZodType>(environment.shape).map(([name, schema]) => {
    const parsed = schema.safeParse(undefined);
    const fallback =
      parsed.success && parsed.data !== undefined ? `\`${JSON.stringify(parsed.data).replaceAll('"', '')}\`` : '–';
    const allowed = allowedIn(schema);
    expect(allowed, name).not.toBeNull();
    return `| \`${name}\` | ${fallback} | ${allowed} | ${schema.description ?? ''} |`;
  });
  return `# Configuration

Rota reads its environment once, at start. A wrong variable stops the start with its name, its value (secrets redacted)
and what was expected, exit code 78. mula's variables keep their names and defaults. This page is generated from
\`src/config/variables.ts\`; a test keeps it true.

Without \`SCHEDULER_DB_URI\` or \`NATS_URL\`, and unless \`NODE_ENV=production\`, embedded ones start and a warning says so.
Without \`KATALOGUS_API\`, \`OCTOPOES_API\`, \`BYTES_API\` or \`QUEUE_URI\` the actors idle; pushes, pops and schedules work.

Values are read as mula reads them. A variable that is empty counts as not set. Numbers may have underscores between their
digits. Whatever has a form (not free text, such as a password) may have spaces or one pair of quotes round it, which
\`docker run --env-file\` leaves there.

KAT's variables that Rota has no use for are ignored. One that looks like a misspelt variable of Rota (\`SCHEDULER_API_PROT\`) is
warned of at start and by \`rota doctor\`, with what was probably meant. \`rota config\` shows the values in use.

| Variable | Default | Allowed | What |
|---|---|---|---|
${rows.join('\n')}
| \`SCHEDULER_<SCHEDULER>_RANKER\` | the scheduler's own | a file of actors/rankers, without \`.ts\` | ranker, by scheduler: \`SCHEDULER_BOEFJE_RANKER=fair-share\` |

## The URL of Postgres

Postgres 14 to 18. \`SCHEDULER_DB_URI\` is read as libpq (\`psql\`) reads it, by one module for all of Rota; values are
percent-decoded. A parameter that is not in this table stops the start with its name, but for those of libpq that ask for what
Rota does anyway (\`gssencmode=prefer\`, \`client_encoding=utf8\`, \`keepalives=1\`, …).

| Parameter | What |
|---|---|
| \`host\`, \`port\`, \`user\`, \`password\`, \`dbname\` | in the place of those before the \`?\` |
| \`target_session_attrs\` | \`any\`, \`read-write\`, \`read-only\`, \`primary\`, \`standby\`, \`prefer-standby\`: which server will do. Of several hosts \`primary\` where not said (libpq: \`any\`), of one \`any\` |
| \`sslmode\` | \`disable\`, \`allow\`, \`prefer\` (where not said), \`require\` (encrypts, verifies nothing), \`verify-ca\`, \`verify-full\`; \`ssl=true\` is \`require\`. A Unix socket is never encrypted |
| \`sslrootcert\` | file of the authority; \`system\` for those of the machine, with \`verify-full\`. Where there is one it is verified with \`require\` too, as in libpq. Else \`~/.postgresql/root.crt\`, where that is there |
| \`sslcert\`, \`sslkey\`, \`sslpassword\` | our certificate, its key, and what the key is encrypted with. Else \`~/.postgresql/postgresql.crt\` and \`.key\` |
| \`connect_timeout\` | seconds for each host; 10 where not said |
| \`application_name\` | shown by Postgres as \`rota (name)\` |
| \`options\` | settings of each session, such as \`-c%20geqo%3Doff\` |

    postgresql://scheduler:secret@db1:5432,db2:5432/scheduler?sslmode=verify-full&sslrootcert=/etc/ssl/kat.crt
    postgresql:///scheduler?host=/var/run/postgresql&user=scheduler

Several hosts are tried in their order, at each new connection; after a failover connections come to the new primary. Behind
pgbouncer the mode must be \`session\`, and \`server_login_retry\` should be \`1\`: by its default of 15 s pgbouncer refuses every
client for that long after Postgres was away; \`transaction\` and \`statement\` are recognised at start and
refused, exit code 78.
`;
}
