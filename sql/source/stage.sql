-- {changes} for the lake to read.
-- A large batch is read in the lake's transaction, and then this one waits for its end: a limit to that, set by whoever runs the database, would have the
-- lake's commit fail for ever.
{changes}
  AND (SELECT set_config('idle_in_transaction_session_timeout', '0', true)) IS NOT NULL
