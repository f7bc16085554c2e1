-- Approvals that can be edited, listed by agent, and are open once for a task and step.
DROP TABLE approval;
CREATE TABLE approval (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run_seq INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  task_seq INTEGER NOT NULL REFERENCES task (seq),
  step_id TEXT NOT NULL,
  message TEXT NOT NULL,
  data TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'canceled')),
  on_timeout TEXT NOT NULL CHECK (on_timeout IN ('deny', 'approve', 'skip')),
  requested_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  decided_at INTEGER,
  decided_by TEXT,
  comment TEXT,
  UNIQUE (run_seq, step_id),
  CHECK ((state = 'pending') = (decided_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX approval_open ON approval (task_seq, step_id) WHERE state = 'pending';
CREATE INDEX approval_pending ON approval (seq) WHERE state = 'pending';

-- Runs that wait for an event; the row goes when the run is leased again or ends.
CREATE TABLE event_wait (
  run_seq INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  step_id TEXT NOT NULL,
  -- As event_key of a task.
  event_key TEXT NOT NULL,
  PRIMARY KEY (run_seq, step_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_wait_key ON event_wait (event_key);
