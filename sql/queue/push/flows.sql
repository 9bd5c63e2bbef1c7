-- Where the next tasks of flows begin.
-- returns n, virtual_time, starts, weight
-- $1 scheduler, $2 the flows and $3 virtual times that may not be stored yet: both as rota_flows takes them
SELECT n, virtual_time::float8 AS virtual_time, starts::float8 AS starts, weight
FROM rota_flows($1, $2::text::json, $3::text::json)
