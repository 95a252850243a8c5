-- Run once as a superuser, in the database of the journal. The role owns the schema `remit` and passes no row-level
-- security; its password is set by whoever keeps it: ALTER ROLE remit_app PASSWORD ... or \password remit_app in psql.
CREATE ROLE remit_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
CREATE SCHEMA remit AUTHORIZATION remit_app;

-- Only for tools with effect="transactional": their SQL logs in as this role, which has a schema of its own and no right
-- on the journal. Give it the tables that the tools write. pg_hba.conf must ask every role for its password, and no
-- function that opens connections (dblink, postgres_fdw) may be within its reach.
CREATE ROLE remit_tools LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE SCHEMA remit_tools AUTHORIZATION remit_tools;
CREATE SCHEMA remit_done AUTHORIZATION remit_app;  -- the marks of their calls
