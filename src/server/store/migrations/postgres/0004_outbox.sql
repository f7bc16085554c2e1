-- Messages to people and programs, apart from the runs that wrote them. Nothing was in the table before.
DROP TABLE outbox;
CREATE TABLE outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  agent_id text NOT NULL,
  -- What it stands for, once: the run and its step and channel, or the notice.
  key text NOT NULL,
  origin text NOT NULL CHECK (origin IN ('step', 'approval', 'notice', 'test')),
  task_id text,
  run_id text,
  step_id text,
  -- Address of the tool that sends it.
  channel text NOT NULL,
  message text NOT NULL,
  quiet_hours text NOT NULL CHECK (quiet_hours IN ('defer', 'skip', 'ignore')),
  urgent boolean NOT NULL,
  -- Messages with the same one may be sent as one.
  digest_key text,
  status text NOT NULL CHECK (
    status IN ('pending', 'sending', 'deferred', 'delivered', 'suppressed', 'failed', 'unknown')
  ),
  reason text,
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz,
  lease_token integer NOT NULL DEFAULT 0,
  lease_owner text,
  lease_expires_at timestamptz,
  -- It may be sent again when its outcome was lost, because the other side drops repeats.
  repeatable boolean NOT NULL DEFAULT false,
  error text,
  answer text,
  merged_into text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  finished_at timestamptz,
  UNIQUE (agent_id, key),
  CHECK ((status IN ('pending', 'deferred')) = (due_at IS NOT NULL)),
  CHECK ((status = 'sending') = (lease_expires_at IS NOT NULL))
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_sending ON outbox (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX outbox_run ON outbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX outbox_unknown ON outbox (seq) WHERE status = 'unknown';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
