-- Whether a pass has something to do: three looks into indexes, where a pass is nine statements. A claim of tasks that no limit
-- concerns asks for none.
-- returns is_due, wait_ms until the first key is due (null: nothing waits)
SELECT d.is_due, extract(epoch FROM d.first_at - clock_timestamp())::float8 * 1000 AS wait_ms FROM rota_limits_due() AS d
