-- A batch finds each of its runs by id. Without the fence a plan may look through all runs of the worker for each of
-- them: for 500 ends in one batch that alone took 50 ms. The rest of both functions stays as it is.
DO $$
DECLARE
  name regproc;
  definition text;
  changed text;
BEGIN
  FOREACH name IN ARRAY ARRAY['pao_complete', 'pao_record']::regproc[] LOOP
    definition := pg_get_functiondef(name);
    changed := replace(definition,
      'LEFT JOIN due_work d ON d.run_id = one.run_id AND d.state = 1',
      'LEFT JOIN LATERAL (SELECT * FROM due_work WHERE run_id = one.run_id OFFSET 0) AS d ON d.state = 1');
    IF changed = definition THEN RAISE EXCEPTION '% is not as this migration expects it', name; END IF;
    EXECUTE changed;
  END LOOP;
END $$;
