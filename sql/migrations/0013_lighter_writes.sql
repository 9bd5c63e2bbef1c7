-- What a claim, a settle and a push of a normalizer's task pay for and nobody reads.

-- Both sides of a change in one statement: the second one's start was a twentieth of a claim for one row.
CREATE OR REPLACE FUNCTION rota_count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO task_changes
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), 1
    FROM after HAVING count(*) > 0;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO task_changes
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), -1
    FROM before HAVING count(*) > 0;
  ELSE
    INSERT INTO task_changes
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), -1
    FROM before HAVING count(*) > 0
    UNION ALL
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), 1
    FROM after HAVING count(*) > 0;
  END IF;
  RETURN NULL;
END $$;
