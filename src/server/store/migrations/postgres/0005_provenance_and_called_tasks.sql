-- Which run created a task, and how many runs that created tasks are behind it; how many tasks an agent may have.
ALTER TABLE task ADD COLUMN created_in_run text COLLATE "C";
ALTER TABLE task ADD COLUMN spawn_depth integer NOT NULL DEFAULT 0 CHECK (spawn_depth >= 0);
ALTER TABLE agent ADD COLUMN max_tasks integer CHECK (max_tasks >= 0);

-- A step `task.run` that waits has the run it started in its output.
CREATE FUNCTION pao_called_runs(caller bigint, caller_time timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
  SELECT output::jsonb ->> 'run_id' FROM step_run
    WHERE run_seq = caller AND scheduled_for = caller_time AND tool = 'task.run' AND status = 'waiting'
$$;

-- When the run that was called ends, its caller looks at once. The row is taken whatever its state is: one that is just
-- being given back is waited for, and seen as it is then.
CREATE FUNCTION pao_wake_caller() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE due_work SET run_at = CASE WHEN state = 0 AND waiting = 1 THEN least(run_at, NEW.finished_at) ELSE run_at END
    WHERE run_id = NEW.parent_run_id;
  RETURN NULL;
END $$;
CREATE TRIGGER run_wakes_caller AFTER UPDATE ON run FOR EACH ROW
  WHEN (NEW.parent_run_id IS NOT NULL AND OLD.status = 'active' AND NEW.status <> 'active')
  EXECUTE FUNCTION pao_wake_caller();

-- It may have ended while its caller was on the way to wait for it.
CREATE FUNCTION pao_wake_itself() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ended timestamptz;
BEGIN
  ended := (SELECT max(run.finished_at) FROM run
    WHERE run.id IN (SELECT pao_called_runs(NEW.seq, NEW.scheduled_for)) AND run.status <> 'active');
  IF ended < NEW.run_at THEN UPDATE due_work SET run_at = ended WHERE run_id = NEW.run_id; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER caller_wakes_itself AFTER UPDATE OF waiting ON due_work FOR EACH ROW
  WHEN (NEW.waiting = 1 AND OLD.waiting = 0)
  EXECUTE FUNCTION pao_wake_itself();

-- Nobody waits for it any more: it is asked to stop. One that is queued or waits is taken at once, to end as canceled.
CREATE FUNCTION pao_cancel_called() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE due_work SET cancel_requested = 1, cancel_reason = 'caller_ended',
      run_at = CASE WHEN state = 0 THEN least(run_at, NEW.finished_at) ELSE run_at END
    WHERE cancel_requested = 0 AND run_id IN (SELECT pao_called_runs(NEW.seq, NEW.scheduled_for));
  RETURN NULL;
END $$;
CREATE TRIGGER caller_cancels_called AFTER UPDATE ON run FOR EACH ROW
  WHEN (OLD.status = 'active' AND NEW.status IN ('canceled', 'failed', 'dead', 'partial'))
  EXECUTE FUNCTION pao_cancel_called();
