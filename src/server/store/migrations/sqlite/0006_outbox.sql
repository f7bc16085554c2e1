-- Messages to people and programs, apart from the runs that wrote them. Nothing was in the table before.
DROP TABLE outbox;
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL,
  -- What it stands for, once: the run and its step and channel, or the notice.
  key TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('step', 'approval', 'notice', 'test')),
  task_id TEXT,
  run_id TEXT,
  step_id TEXT,
  -- Address of the tool that sends it.
  channel TEXT NOT NULL,
  message TEXT NOT NULL,
  quiet_hours TEXT NOT NULL CHECK (quiet_hours IN ('defer', 'skip', 'ignore')),
  urgent INTEGER NOT NULL CHECK (urgent IN (0, 1)),
  -- Messages with the same one may be sent as one.
  digest_key TEXT,
  status TEXT NOT NULL CHECK (
    status IN ('pending', 'sending', 'deferred', 'delivered', 'suppressed', 'failed', 'unknown')
  ),
  reason TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER,
  lease_token INTEGER NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_expires_at INTEGER,
  -- 1: it may be sent again when its outcome was lost, because the other side drops repeats.
  repeatable INTEGER NOT NULL DEFAULT 0 CHECK (repeatable IN (0, 1)),
  error TEXT,
  answer TEXT,
  merged_into TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finished_at INTEGER,
  UNIQUE (agent_id, key),
  CHECK ((status IN ('pending', 'deferred')) = (due_at IS NOT NULL)),
  CHECK ((status = 'sending') = (lease_expires_at IS NOT NULL))
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_sending ON outbox (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX outbox_run ON outbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX outbox_unknown ON outbox (seq) WHERE status = 'unknown';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
