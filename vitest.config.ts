import { defineConfig } from 'vitest/config';

/**
 * Two projects: `utest` needs no service and is to take less than a minute on an idle machine; `itest` has what runs on real
 * Postgres, NATS and RabbitMQ (started in globalSetup), and what starts actor threads or command lines.
 */
export default defineConfig({
  test: {
    // Node's own loader runs tests and sources, as in production; Vite's module runner would hide loader differences.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // As patient as a test: a busy machine fails none.
    expect: { poll: { timeout: 25_000, interval: 10 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'utest',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**'],
        },
      },
      {
        extends: true,
        test: { name: 'itest', include: ['test/integration/**/*.test.ts'], globalSetup: ['test/support/services.ts'] },
      },
    ],
  },
});
