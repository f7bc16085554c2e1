-- What is paid for is written down before it is done, and summed up for each run, and each day of a task, an agent and all.
ALTER TABLE agent ADD COLUMN budget TEXT;

CREATE TABLE budget_account (
  key TEXT PRIMARY KEY,
  tokens INTEGER NOT NULL,
  nano_usd INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  runs INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX budget_account_updated ON budget_account (updated_at);

-- `reserved` and `spent` are JSON; the ids are not references: what was spent stays known when a run is pruned sooner.
CREATE TABLE budget_entry (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run_id TEXT,
  task_id TEXT,
  agent_id TEXT,
  step_id TEXT,
  tool TEXT,
  model TEXT,
  accounts TEXT NOT NULL,
  reserved TEXT NOT NULL,
  spent TEXT NOT NULL,
  input_tokens INTEGER,
  output_tokens INTEGER,
  state TEXT NOT NULL CHECK (state IN ('reserved', 'settled')),
  estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
  at INTEGER NOT NULL,
  settled_at INTEGER
) STRICT;
CREATE INDEX budget_entry_run ON budget_entry (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX budget_entry_at ON budget_entry (at);
