-- A run that ends canceled has the reason of who asked for it: its worker knows that it was told to stop, not why.
-- One condition of pao_complete changes; the rest of the function stays as it is.
DO $$
DECLARE
  old CONSTANT text := 'WHEN ends[i] = statuses[i] THEN reasons[i]';
  definition text := pg_get_functiondef('pao_complete'::regproc);
BEGIN
  IF position(old IN definition) = 0 THEN RAISE EXCEPTION 'pao_complete is not as 0001_initial left it'; END IF;
  EXECUTE replace(definition, old,
    'WHEN ends[i] = statuses[i] AND NOT (canceled[i] = 1 AND statuses[i] = ''canceled'') THEN reasons[i]');
END $$;
