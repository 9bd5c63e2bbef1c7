-- What supervisors handed out and were asked for, every two seconds that something was: the rates by which the start of
-- a queued task is estimated (docs/queue-semantics.md, "Estimates"). Rows are added in the background, never changed,
-- and go after ten minutes; of each image the last one that asked stays for a week.
CREATE TABLE image_pops (
  scheduler varchar NOT NULL,
  image     varchar NOT NULL, -- '' is of all images, those without a row of their own included
  until     timestamptz NOT NULL DEFAULT now(),
  tasks     integer NOT NULL, -- handed out
  any_image integer NOT NULL, -- of those, to pops without a filter
  asked     boolean NOT NULL, -- a pop named the image; for '', one named none
  rank      bigint            -- the greatest handed out by pops in the order of ranks
);
CREATE INDEX image_pops_of ON image_pops (scheduler, image, until);
CREATE INDEX image_pops_until ON image_pops (until);
