-- W3C trace context of the push, where traces are exported: a task may be popped minutes later, by another supervisor.
-- Written once, with the row, and never indexed: changes of status stay HOT. docs/tracing.md
ALTER TABLE tasks ADD COLUMN traceparent varchar;
