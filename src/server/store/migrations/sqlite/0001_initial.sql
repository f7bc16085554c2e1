-- Ids that people see (run_…, tsk_…) stand once, in the row they name. Everything else refers to rows by `seq`, a small
-- integer in order of creation: it keeps the indexes of the hot tables narrow and is the cursor of every list.
-- Times are milliseconds since the Unix epoch; JSON is kept as text.
-- The hot tables say `a OR b` where others say IN: SQLite builds a table for a longer IN each time it checks a row, which
-- was a third of the cost of writing a run.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  title TEXT,
  scopes TEXT NOT NULL,
  disabled_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX agent_name ON agent (name) WHERE disabled_at IS NULL;

CREATE TABLE agent_token (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_seq INTEGER NOT NULL REFERENCES agent (seq),
  hash TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  label TEXT,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT;
CREATE INDEX agent_token_agent ON agent_token (agent_seq);

-- The spec of a task is in task_version, once for each version.
CREATE TABLE task (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_seq INTEGER NOT NULL REFERENCES agent (seq),
  name TEXT NOT NULL,
  -- Name and title in lower case, for search.
  search_text TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'canceled', 'done')),
  state_reason TEXT,
  scopes TEXT NOT NULL,
  -- 1 when its schedule names due times (cron, rrule, once, condition).
  timed INTEGER NOT NULL CHECK (timed IN (0, 1)),
  -- Where dispatch looks an event task up: '=topic' without wildcards, '*word' by its first word, '*' for all topics.
  event_key TEXT,
  next_due_at INTEGER,
  snoozed_until INTEGER,
  last_run_at INTEGER,
  memory TEXT,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX task_name ON task (agent_seq, name) WHERE state <> 'canceled';
CREATE INDEX task_name_any_agent ON task (name) WHERE state <> 'canceled';
CREATE INDEX task_agent ON task (agent_seq);
CREATE INDEX task_due ON task (next_due_at) WHERE state = 'active' AND next_due_at IS NOT NULL;
CREATE INDEX task_without_due ON task (seq) WHERE state = 'active' AND timed = 1 AND next_due_at IS NULL;
CREATE INDEX task_event ON task (event_key) WHERE state = 'active' AND event_key IS NOT NULL;

-- How many tasks there are in each state, kept by the triggers below: counting a million rows for a gauge would not be flat.
CREATE TABLE task_count (
  state TEXT PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO task_count VALUES ('active', 0), ('paused', 0), ('canceled', 0), ('done', 0);
CREATE TRIGGER task_count_insert AFTER INSERT ON task BEGIN
  UPDATE task_count SET count = count + 1 WHERE state = new.state;
END;
CREATE TRIGGER task_count_update AFTER UPDATE OF state ON task WHEN old.state <> new.state BEGIN
  UPDATE task_count SET count = count - 1 WHERE state = old.state;
  UPDATE task_count SET count = count + 1 WHERE state = new.state;
END;
CREATE TRIGGER task_count_delete AFTER DELETE ON task BEGIN
  UPDATE task_count SET count = count - 1 WHERE state = old.state;
END;

CREATE TABLE task_version (
  task_seq INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  version INTEGER NOT NULL,
  spec TEXT NOT NULL,
  changed_by TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (task_seq, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  task_seq INTEGER NOT NULL REFERENCES task (seq),
  task_version INTEGER NOT NULL,
  agent_seq INTEGER NOT NULL REFERENCES agent (seq),
  -- 'active' until it ends: then its row in due_work says whether it is queued, running or waiting, and how often and by
  -- whom it was begun. So a run is written twice, not with each move.
  status TEXT NOT NULL CHECK (
    status = 'active' OR status = 'succeeded' OR status = 'partial' OR status = 'failed' OR status = 'dead'
      OR status = 'canceled' OR status = 'skipped' OR status = 'missed'
  ),
  reason TEXT,
  trigger TEXT NOT NULL CHECK (
    trigger = 'schedule' OR trigger = 'manual' OR trigger = 'event' OR trigger = 'condition' OR trigger = 'catchup'
      OR trigger = 'replay'
  ),
  scheduled_for INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  deaths INTEGER NOT NULL DEFAULT 0 CHECK (deaths >= 0),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 9),
  params TEXT NOT NULL,
  event_id TEXT,
  parent_run_id TEXT,
  dedupe_key TEXT,
  output TEXT,
  error TEXT,
  trace_id TEXT,
  worker_id TEXT,
  CHECK ((finished_at IS NULL) = (status = 'active'))
) STRICT;
-- Promise 2 of product.md: an occurrence is written once, whoever writes it.
CREATE UNIQUE INDEX run_occurrence ON run (task_seq, scheduled_for) WHERE trigger IN ('schedule', 'catchup');
CREATE UNIQUE INDEX run_event ON run (task_seq, event_id) WHERE trigger = 'event';
CREATE INDEX run_task ON run (task_seq);
CREATE INDEX run_agent ON run (agent_seq);
-- A run that succeeds is never in this one: the happy path does not pay for it.
CREATE INDEX run_exception ON run (seq)
  WHERE status <> 'active' AND status <> 'succeeded';
CREATE INDEX run_dead ON run (seq) WHERE status = 'dead';
CREATE INDEX run_dedupe ON run (agent_seq, dedupe_key)
  WHERE dedupe_key IS NOT NULL AND (status = 'active' OR status = 'succeeded' OR status = 'partial');

CREATE TABLE step_run (
  run_seq INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  step_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  tool TEXT,
  status TEXT NOT NULL CHECK (
    status = 'succeeded' OR status = 'running' OR status = 'failed' OR status = 'skipped' OR status = 'unknown'
      OR status = 'waiting'
  ),
  reason TEXT,
  attempts INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  input TEXT,
  output TEXT,
  error TEXT,
  idempotency_key TEXT,
  usage TEXT,
  PRIMARY KEY (run_seq, step_id)
) STRICT, WITHOUT ROWID;

-- Idempotency keys that a step has taken; a key belongs to one agent.
CREATE TABLE step_key (
  agent_seq INTEGER NOT NULL REFERENCES agent (seq),
  key TEXT NOT NULL,
  run_seq INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  step_id TEXT NOT NULL,
  reserved_at INTEGER NOT NULL,
  PRIMARY KEY (agent_seq, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX step_key_run ON step_key (run_seq);

-- One row for each run that is queued, running or waiting; the only table a worker searches.
CREATE TABLE due_work (
  seq INTEGER PRIMARY KEY REFERENCES run (seq) ON DELETE CASCADE,
  task_seq INTEGER NOT NULL,
  -- 0 ready: may be leased when run_at has come. 1 leased. 2 parked: due, but its lane is full.
  state INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
  -- 1 while the run's status is `waiting`.
  waiting INTEGER NOT NULL DEFAULT 0,
  -- 1 until it is first leased, when no step of it can have been recorded.
  fresh INTEGER NOT NULL DEFAULT 1,
  -- 1 once a step of it has taken an idempotency key.
  has_keys INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  deaths INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER,
  priority INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  -- Tags a worker must have, sorted, as a JSON list; '' for none.
  tag_set TEXT NOT NULL DEFAULT '',
  -- Concurrency key with its agent, and how many may hold it.
  lane TEXT,
  lane_limit INTEGER,
  serial INTEGER NOT NULL DEFAULT 0,
  -- The task, while this run is the one serial run of it that is leased or waiting.
  serial_holder INTEGER,
  parked_on TEXT,
  -- Who has it, or had it last.
  lease_owner TEXT,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_expires_at INTEGER,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  cancel_reason TEXT,
  CHECK ((state = 1) = (lease_expires_at IS NOT NULL)),
  CHECK ((state = 2) = (parked_on IS NOT NULL))
) STRICT;
CREATE INDEX due_work_ready ON due_work (tag_set, priority, run_at) WHERE state = 0;
CREATE INDEX due_work_leased ON due_work (lease_owner, lease_expires_at) WHERE state = 1;
CREATE INDEX due_work_cancel ON due_work (lease_owner) WHERE state = 1 AND cancel_requested = 1;
CREATE INDEX due_work_parked ON due_work (parked_on, tag_set, priority, run_at) WHERE state = 2;
CREATE INDEX due_work_lane_held ON due_work (lane) WHERE state = 1 AND lane IS NOT NULL;
CREATE INDEX due_work_task ON due_work (task_seq);
CREATE UNIQUE INDEX due_work_serial ON due_work (serial_holder) WHERE serial_holder IS NOT NULL;

CREATE TABLE event (
  -- Never used again, also after pruning: it is the cursor of the stream.
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  topic TEXT NOT NULL,
  payload TEXT,
  dedupe_key TEXT,
  agent_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  dispatched_at INTEGER
) STRICT;
CREATE INDEX event_undispatched ON event (sequence) WHERE dispatched_at IS NULL;
CREATE INDEX event_topic ON event (topic);
CREATE INDEX event_dedupe ON event (agent_id, topic, dedupe_key, created_at) WHERE dedupe_key IS NOT NULL;

CREATE TABLE tool (
  address TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  definition TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (
  id TEXT PRIMARY KEY,
  run_seq INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
  step_id TEXT NOT NULL,
  prompt TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'canceled')),
  on_timeout TEXT NOT NULL CHECK (on_timeout IN ('deny', 'approve', 'skip')),
  requested_at INTEGER NOT NULL,
  expires_at INTEGER,
  decided_at INTEGER,
  decided_by TEXT,
  comment TEXT,
  UNIQUE (run_seq, step_id),
  CHECK ((state = 'pending') = (decided_at IS NULL))
) STRICT;
CREATE INDEX approval_pending ON approval (expires_at) WHERE state = 'pending';

CREATE TABLE worker_heartbeat (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('supervisor', 'api', 'scheduler', 'worker')),
  slot TEXT NOT NULL,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  version TEXT NOT NULL,
  tags TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  slots_total INTEGER NOT NULL,
  slots_busy INTEGER NOT NULL
) STRICT;

CREATE TABLE audit_log (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT,
  details TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  delivered_at INTEGER
) STRICT;
CREATE INDEX outbox_pending ON outbox (next_attempt_at) WHERE state = 'pending';
