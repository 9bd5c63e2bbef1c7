import { expect, test } from 'vitest';
import type { z } from 'zod';
import { environment } from '../src/config.ts';

/** `make utest file=test/configuration.test.ts` shows a difference; `vitest run -u` writes the page anew. */
test('docs/configuration.md lists every variable with its default', async () => {
  await expect(page()).toMatchFileSnapshot('../docs/configuration.md');
});

function page(): string {
  const rows = Object.entries(environment.shape).map(([name, schema]) => {
    const parsed = (schema as z.ZodType).safeParse(undefined);
    const fallback =
      parsed.success && parsed.data !== undefined ? `\`${JSON.stringify(parsed.data).replaceAll('"', '')}\`` : '–';
    return `| \`${name}\` | ${fallback} | ${(schema as z.ZodType).description ?? ''} |`;
  });
  return `# Configuration

Rota reads its environment once, at start. A wrong variable stops the start with its name, its value (secrets redacted)
and what was expected, exit code 78. mula's variables keep their names and defaults. This page is generated from
\`src/config.ts\`; a test keeps it true.

Without \`SCHEDULER_DB_URI\` or \`NATS_URL\`, and unless \`NODE_ENV=production\`, embedded ones start and a warning says so.
Without \`KATALOGUS_API\`, \`OCTOPOES_API\`, \`BYTES_API\` or \`QUEUE_URI\` the actors idle; pushes, pops and schedules work.

| Variable | Default | What |
|---|---|---|
${rows.join('\n')}
| \`SCHEDULER_<SCHEDULER>_RANKER\` | the scheduler's own | ranker of actors/rankers, by scheduler: \`SCHEDULER_BOEFJE_RANKER=fair-share\` |
`;
}
