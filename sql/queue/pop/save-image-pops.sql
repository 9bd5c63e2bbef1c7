-- What one supervisor handed out and was asked for since it last said so.
-- $1 schedulers, $2 images ('' of all together), $3 tasks, $4 of those to pops without a filter, $5 1 where any asked, $6 greatest ranks
INSERT INTO image_pops (scheduler, image, tasks, any_image, asked, rank)
SELECT scheduler, image, tasks, any_image, asked = 1, rank
FROM unnest($1::varchar[], $2::varchar[], $3::integer[], $4::integer[], $5::integer[], $6::bigint[])
  AS popped (scheduler, image, tasks, any_image, asked, rank)
