-- What is paid for is written down before it is done, and summed up for each run, and each day of a task, an agent and all.
ALTER TABLE agent ADD COLUMN budget text;

CREATE TABLE budget_account (
  key text COLLATE "C" PRIMARY KEY,
  tokens bigint NOT NULL,
  nano_usd bigint NOT NULL,
  calls bigint NOT NULL,
  runs bigint NOT NULL,
  unpriced bigint NOT NULL,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX budget_account_updated ON budget_account (updated_at);

-- `reserved` and `spent` are JSON; the ids are not references: what was spent stays known when a run is pruned sooner.
CREATE TABLE budget_entry (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  run_id text COLLATE "C",
  task_id text COLLATE "C",
  agent_id text COLLATE "C",
  step_id text,
  tool text,
  model text,
  accounts text NOT NULL,
  reserved text NOT NULL,
  spent text NOT NULL,
  input_tokens bigint,
  output_tokens bigint,
  state text COLLATE "C" NOT NULL CHECK (state IN ('reserved', 'settled')),
  estimated integer NOT NULL CHECK (estimated IN (0, 1)),
  at timestamptz NOT NULL,
  settled_at timestamptz
);
CREATE INDEX budget_entry_run ON budget_entry (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX budget_entry_at ON budget_entry (at);
