import { expect, test } from 'vitest';
import type { z } from 'zod';
import { allowedIn } from '../src/config-values.ts';
import { environment } from '../src/config.ts';

/** `make utest file=test/configuration.test.ts` shows a difference; `vitest run -u` writes the page anew. */
test('docs/configuration.md lists every variable with its default and what it allows', async () => {
  await expect(page()).toMatchFileSnapshot('../docs/configuration.md');
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
\`src/config.ts\`; a test keeps it true.

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
`;
}
