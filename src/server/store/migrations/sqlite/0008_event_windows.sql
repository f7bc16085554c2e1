-- Which run published an event, and how long the chain of runs and events before it is.
ALTER TABLE event ADD COLUMN cause_run_id TEXT;
ALTER TABLE event ADD COLUMN depth INTEGER NOT NULL DEFAULT 0;
CREATE INDEX event_cause ON event (cause_run_id) WHERE cause_run_id IS NOT NULL;
-- What a run was given that several events triggered together: {"count": …, "ids": […]}.
ALTER TABLE run ADD COLUMN events TEXT;
CREATE INDEX run_of_event ON run (event_id) WHERE event_id IS NOT NULL;

-- Events of a task that are taken together (debounce, batch), and spans in which one must come (absent).
CREATE TABLE event_window (
  task_seq INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  -- What the task's `key` gave for the event; '' without one.
  key TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('together', 'absent')),
  opened_at INTEGER NOT NULL,
  closes_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  size INTEGER NOT NULL,
  event_ids TEXT NOT NULL,
  PRIMARY KEY (task_seq, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_window_closes ON event_window (closes_at);

-- What a step with `changed` saw when it last did its work.
CREATE TABLE step_memory (
  task_seq INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  step_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  run_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (task_seq, step_id)
) STRICT, WITHOUT ROWID;

-- Inbound webhooks. The secret is the key of a signature, so it can not be stored as a hash.
CREATE TABLE hook (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_seq INTEGER NOT NULL REFERENCES agent (seq),
  name TEXT NOT NULL,
  topic TEXT NOT NULL,
  scheme TEXT NOT NULL CHECK (scheme IN ('standard', 'github')),
  secret TEXT NOT NULL,
  -- Counts as well until then, after a rotation.
  old_secret TEXT,
  old_secret_until INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  last_received_at INTEGER
) STRICT;
CREATE UNIQUE INDEX hook_name ON hook (agent_seq, name);
