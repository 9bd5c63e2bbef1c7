-- One releaser at a time, of whichever supervisor, until the transaction ends. In a statement of its own: those after it must see what
-- the releaser before it committed. With the settings of a session that plans by key (planByKey in src/postgres/pool.ts), and without
-- hashed joins, which would read all of the queue for a few rows of it.
SELECT set_config('lock_timeout', '5s', true), pg_advisory_xact_lock(7682121), set_config('enable_seqscan', 'off', true),
  set_config('enable_bitmapscan', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_hashjoin', 'off', true),
  set_config('plan_cache_mode', 'force_generic_plan', true), set_config('jit', 'off', true)
