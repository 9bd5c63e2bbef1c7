# syntax=docker/dockerfile:1

# Exactly what the dev dependency `node` pins and the tests run on; .ts files run as they are, so there is nothing to build.
FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No dev dependencies: no embedded Postgres, no second Node, no test runner. No package of what is left needs a script.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production \
    NODE_COMPILE_CACHE=/home/node/.cache/compile \
    MALLOC_ARENA_MAX=2 \
    SCHEDULER_LOGGING_FORMAT=json
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
COPY actors ./actors
COPY sql ./sql
# Fills the compile cache, so that each thread of the first start costs 31 ms instead of 42 ms (docs/runtime-semantics.md).
RUN mkdir -p /home/node/.cache/compile && chown -R node:node /home/node/.cache
USER node
RUN node src/cli.ts --version
EXPOSE 8000
EXPOSE 8001
# Readiness, not /health: an unhealthy Katalogus is no reason to restart the scheduler.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["node", "-e", "const tls = process.env.SCHEDULER_API_TLS_CERT; if (tls) process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; fetch(`http${tls ? 's' : ''}://127.0.0.1:${process.env.SCHEDULER_API_PORT ?? 8000}/ready`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# exec form: SIGTERM reaches node, which drains and exits 0. MALLOC_ARENA_MAX and the flags: src/launch.sh.
ENTRYPOINT ["node", "--heap-growing-percent=100", "--min-semi-space-size=4", "--v8-pool-size=1", "src/cli.ts"]
CMD ["start"]
