-- Which run published an event, and how long the chain of runs and events before it is.
ALTER TABLE event ADD COLUMN cause_run_id text COLLATE "C";
ALTER TABLE event ADD COLUMN depth integer NOT NULL DEFAULT 0;
CREATE INDEX event_cause ON event (cause_run_id) WHERE cause_run_id IS NOT NULL;
-- What a run was given that several events triggered together: {"count": …, "ids": […]}.
ALTER TABLE run ADD COLUMN events text;
CREATE INDEX run_of_event ON run (event_id) WHERE event_id IS NOT NULL;

-- Events of a task that are taken together (debounce, batch), and spans in which one must come (absent).
CREATE TABLE event_window (
  task_seq bigint NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  -- What the task's `key` gave for the event; '' without one.
  key text COLLATE "C" NOT NULL,
  kind text NOT NULL CHECK (kind IN ('together', 'absent')),
  opened_at timestamptz NOT NULL,
  closes_at timestamptz NOT NULL,
  count integer NOT NULL,
  size integer NOT NULL,
  event_ids text NOT NULL,
  PRIMARY KEY (task_seq, key)
);
CREATE INDEX event_window_closes ON event_window (closes_at);

-- What a step with `changed` saw when it last did its work.
CREATE TABLE step_memory (
  task_seq bigint NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  step_id text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL,
  run_id text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (task_seq, step_id)
);

-- Inbound webhooks. The secret is the key of a signature, so it can not be stored as a hash.
CREATE TABLE hook (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  agent_seq bigint NOT NULL REFERENCES agent (seq),
  name text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  scheme text COLLATE "C" NOT NULL CHECK (scheme IN ('standard', 'github')),
  secret text NOT NULL,
  -- Counts as well until then, after a rotation.
  old_secret text,
  old_secret_until timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  last_received_at timestamptz
);
CREATE UNIQUE INDEX hook_name ON hook (agent_seq, name);
