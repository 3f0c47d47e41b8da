-- CREATE TRIGGER waits for open writers and makes new ones wait behind it: rather fail and be run again.
SET LOCAL lock_timeout = '2s';
SELECT audit.track('public.orders');
