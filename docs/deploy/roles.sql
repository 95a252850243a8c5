-- Run once as a superuser, in the database of the journal. The role owns the schema `remit` and passes no row-level
-- security; its password is set by whoever keeps it: ALTER ROLE remit_app PASSWORD ... or \password remit_app in psql.
CREATE ROLE remit_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
CREATE SCHEMA remit AUTHORIZATION remit_app;
