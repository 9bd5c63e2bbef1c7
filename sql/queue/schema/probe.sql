-- Whether this session may write, and which of our tables refuse its user. Only retention deletes tasks: not asked for.
SELECT pg_is_in_recovery() AS recovering, current_setting('transaction_read_only') = 'on' AS read_only,
  ARRAY(
    SELECT DISTINCT name
    FROM unnest(ARRAY['tasks', 'schedules', 'queue', 'leases', 'rare_outcomes', 'seen_boefjes', 'fairness', 'rota_alive',
        'task_changes', 'task_counts', 'task_totals', 'pauses', 'queue_floors', 'queued_organisations',
        'virtual_times', 'image_pops', 'supervisors', 'gaps', 'audit_log', 'incidents', 'instances',
        'limits', 'limiters', 'limit_changes', 'limit_claims']) AS name,
      unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE NOT has_table_privilege(name, privilege) AND NOT (name = 'tasks' AND privilege = 'DELETE')
    UNION SELECT 'known_gaps' WHERE NOT has_table_privilege('known_gaps', 'SELECT')
    ORDER BY name
  ) AS refusing
