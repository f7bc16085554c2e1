-- Which run created a task, and how many runs that created tasks are behind it; how many tasks an agent may have.
ALTER TABLE task ADD COLUMN created_in_run TEXT;
ALTER TABLE task ADD COLUMN spawn_depth INTEGER NOT NULL DEFAULT 0 CHECK (spawn_depth >= 0);
ALTER TABLE agent ADD COLUMN max_tasks INTEGER CHECK (max_tasks >= 0);

-- A step `task.run` that waits has the run it started in its output. When that run ends, its caller looks at once.
CREATE TRIGGER run_wakes_caller AFTER UPDATE OF status ON run
WHEN new.parent_run_id IS NOT NULL AND old.status = 'active' AND new.status <> 'active'
BEGIN
  UPDATE due_work SET run_at = new.finished_at
    WHERE seq = (SELECT seq FROM run WHERE id = new.parent_run_id) AND state = 0 AND waiting = 1
      AND run_at > new.finished_at;
END;
-- It may have ended while its caller was on the way to wait for it.
CREATE TRIGGER caller_wakes_itself AFTER UPDATE OF waiting ON due_work
WHEN new.waiting = 1 AND new.state = 0
BEGIN
  UPDATE due_work SET run_at = min(run_at, (
      SELECT max(run.finished_at) FROM step_run JOIN run ON run.id = json_extract(step_run.output, '$.run_id')
      WHERE step_run.run_seq = new.seq AND step_run.tool = 'task.run' AND step_run.status = 'waiting'
        AND run.status <> 'active'))
    WHERE seq = new.seq AND EXISTS (
      SELECT 1 FROM step_run JOIN run ON run.id = json_extract(step_run.output, '$.run_id')
      WHERE step_run.run_seq = new.seq AND step_run.tool = 'task.run' AND step_run.status = 'waiting'
        AND run.status <> 'active');
END;
-- Nobody waits for it any more: it is asked to stop. One that is queued or waits is taken at once, to end as canceled.
CREATE TRIGGER caller_cancels_called AFTER UPDATE OF status ON run
WHEN old.status = 'active'
  AND (new.status = 'canceled' OR new.status = 'failed' OR new.status = 'dead' OR new.status = 'partial')
BEGIN
  UPDATE due_work SET cancel_requested = 1, cancel_reason = 'caller_ended',
      run_at = CASE WHEN state = 0 THEN min(run_at, new.finished_at) ELSE run_at END
    WHERE cancel_requested = 0 AND seq IN (
      SELECT run.seq FROM step_run JOIN run ON run.id = json_extract(step_run.output, '$.run_id')
      WHERE step_run.run_seq = new.seq AND step_run.tool = 'task.run' AND step_run.status = 'waiting');
END;
