import { registerHooks } from 'node:module';

/**
 * The driver postgres 3.4.9, with six faults mended that a lost connection brings out (porsager/postgres #1154,
 * #1168, #1208) and a seventh that a read-only server does, and that nothing around it can prevent:
 *
 * - What was about to be written when a connection closed stays in its buffer, and so does the mark that a write is due:
 *   nothing is ever written on that connection again, and each statement that gets it fails after the connect timeout, for good.
 * - What a connection knew of the answer it was reading outlives it: the first answer after that is given out behind empty
 *   places (a push without an outcome), or an old error in its stead.
 * - A transaction whose connection is gone goes on with it. Its next query, the rollback at least, ends the process with a
 *   TypeError out of a timer; or runs in another transaction, once the connection is made anew.
 * - The query for array types, with which each connection begins, has no handler of its failure: an unhandled rejection.
 * - A pool that was ended while a connection was being made keeps that connection, and with it the process; a statement that
 *   was cancelled then takes its connection out of the pool for good.
 * - Between the error of an idle connection and its close it counts as open: a statement that is given to it then is never
 *   answered, neither with a result nor with an error.
 * - A connection to a server that cannot be written to (25006: a standby after a failover, a session that began while the
 *   database was read-only) is kept for as long as the server lets it. Here all connections of its pool end, each after what
 *   it has in hand, as those do whose lifetime is over, and are made anew as they are needed; no more than once a second,
 *   since the database may stay read-only for hours while thousands ask.
 *
 * And it takes settings of the session (`session`, expressions of a SELECT) into the query with which each connection begins: as
 * startup parameters pgbouncer refuses them. A connection that cannot have them is ended.
 *
 * Mended as it is loaded, since the image installs packages without their scripts. A version whose text differs stops
 * the start: this file goes when the driver is mended.
 */
const mends: readonly { file: string; fault: string; mended: string }[] = [
  {
    file: 'connection.js',
    fault: 'clearImmediate(nextWriteTimer)\n    if (socket) {',
    mended: 'clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    if (socket) {',
  },
  {
    file: 'connection.js',
    fault: "clearImmediate(nextWriteTimer)\n    socket.removeListener('data', data)",
    mended:
      "clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener('data', data)",
  },
  {
    file: 'connection.js',
    fault: '`], [], execute)\n    types.',
    mended: '`], [], execute).catch(error => (socket && socket.destroy(error), []))\n    types.',
  },
  {
    file: 'connection.js',
    fault: 'select b.oid, b.typarray\n      from pg_catalog.pg_type a',
    mended:
      'with session as materialized (select ${ options.session })\n      select b.oid, b.typarray from session cross join pg_catalog.pg_type a',
  },
  {
    file: 'connection.js',
    fault: 'if (!socket)\n      return\n',
    mended: 'if (!socket)\n      return\n\n    if (terminated)\n      return socket.destroy()\n',
  },
  {
    file: 'connection.js',
    fault: 'initial && !initial.reserve && execute(initial)',
    mended: 'initial && !initial.reserve && (initial.cancelled ? onopen(connection) : execute(initial))',
  },
  {
    file: 'connection.js',
    fault: '!hadError && (query || sent.length) && error(',
    // The statement before it ends without a semicolon.
    mended: ';(query || sent.length) && error(',
  },
  { file: 'index.js', fault: 'socket          : o.socket,', mended: 'socket: o.socket, session: o.session,' },
  {
    file: 'connection.js',
    fault: 'socket = null\n\n    if (initial)',
    mended: 'socket = null\n    rows = 0, result = new Result(), results = errorResponse = null\n    if (initial)',
  },
  {
    file: 'connection.js',
    fault: '    closedTime = performance.now()\n',
    mended: '    query = null\n    closedTime = performance.now()\n',
  },
  {
    file: 'connection.js',
    fault: 'errorResponse = Errors.postgres(parseError(x))\n',
    mended:
      'errorResponse = Errors.postgres(parseError(x))\n      errorResponse.code === "25006" && options.shared.renew()\n',
  },
  {
    file: 'index.js',
    fault: '\n  const sql = Sql(handler)\n',
    mended: `
  let renewed = -Infinity
  options.shared.renew = () => {
    if (performance.now() - renewed < 1000) return
    renewed = performance.now()
    for (const c of connections) if (![connecting, closed, ended].includes(c.queue)) c.end()
  }

  const sql = Sql(handler)
`,
  },
  { file: 'index.js', fault: 'let savepoints = 0\n', mended: 'let lost = null, savepoints = 0\n' },
  {
    file: 'index.js',
    fault: '(_, reject) => connection.onclose = reject',
    mended: '(_, reject) => connection.onclose = error => reject(lost = error)',
  },
  {
    file: 'index.js',
    fault: 'q.catch(e => uncaughtError || (uncaughtError = e))\n',
    mended: 'q.catch(e => uncaughtError || (uncaughtError = e))\n        if (lost) return q.reject(lost)\n',
  },
];

const hooks = registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const file = /\/node_modules\/postgres\/src\/(\w+\.js)$/.exec(url)?.[1];
    const due = mends.filter((mend) => mend.file === file);
    if (due.length === 0) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString();
    for (const { fault, mended } of due) {
      if (!source.includes(fault)) throw new Error(`postgres/src/${file}: no longer what src/postgres/driver.ts mends`);
      source = source.replace(fault, () => mended);
    }
    return { ...loaded, source };
  },
});

// Not a static import: that would load the driver before the hooks are there.
const { default: postgres } = await import('postgres');
hooks.deregister();

export default postgres;
