-- mmrd: find defects in RGB and depth or normal scans, inside the database.
-- complain if the script is sourced in psql, rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION mmrd" to load this file. \quit

-- Functions and types go into the schema that CREATE EXTENSION targets and
-- are named mmrd_...; tables and views live here.
CREATE SCHEMA mmrd;
COMMENT ON SCHEMA mmrd IS 'mmrd: models, their versions, and what they found';
GRANT USAGE ON SCHEMA mmrd TO PUBLIC;
