-- Nothing: its number is above all of before the first release, so that a build of then calls the database newer than itself
-- instead of an older one to be migrated.
SELECT 1;
