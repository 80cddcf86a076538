-- mmrd 0.1.0 to 0.2.0.  What follows leaves a database as CREATE EXTENSION
-- would have made it: tests/t/070_upgrade.pl compares the two.
\echo Use "ALTER EXTENSION mmrd UPDATE" to load this file. \quit

-- Changes of what 0.1.0 has, by hand: none.

-- New parts of the install script, copied by "make update-script":
