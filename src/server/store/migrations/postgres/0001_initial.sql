-- Ids that people see (run_…, tsk_…) stand in the row they name. Most else refers to rows by `seq`, in order of creation:
-- it is the cursor of every list. Keys are compared by bytes (COLLATE "C"), whatever the locale of the database.
-- JSON is kept as text where others decide what is in it: jsonb refuses "\u0000", and it would be parsed for nothing.
-- `run` and `step_run` are partitioned by week of `scheduled_for`; partitions.ts makes the partitions. So old history is
-- dropped, not deleted, and UNIQUE (task, scheduled_for) holds over all partitions, as its column is their key.
-- Nothing refers to them with a foreign key: checking one costs as much as writing the row.

CREATE FUNCTION pao_at(ms bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS 'SELECT to_timestamp(ms::float8 / 1000)';

CREATE TABLE meta (
  key text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE agent (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  name text COLLATE "C" NOT NULL,
  title text,
  scopes text NOT NULL,
  disabled_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX agent_name ON agent (name) WHERE disabled_at IS NULL;

CREATE TABLE agent_token (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  agent_seq bigint NOT NULL REFERENCES agent (seq),
  hash text COLLATE "C" NOT NULL UNIQUE,
  prefix text NOT NULL,
  label text,
  scopes text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX agent_token_agent ON agent_token (agent_seq);

-- The spec of a task is in task_version, once for each version.
CREATE TABLE task (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  agent_seq bigint NOT NULL REFERENCES agent (seq),
  name text COLLATE "C" NOT NULL,
  -- Name and title in lower case, for search.
  search_text text NOT NULL,
  version integer NOT NULL CHECK (version >= 1),
  state text COLLATE "C" NOT NULL CHECK (state IN ('active', 'paused', 'canceled', 'done')),
  state_reason text,
  scopes text NOT NULL,
  -- True when its schedule names due times (cron, rrule, once, condition).
  timed boolean NOT NULL,
  -- Where dispatch looks an event task up: '=topic' without wildcards, '*word' by its first word, '*' for all topics.
  event_key text COLLATE "C",
  next_due_at timestamptz,
  snoozed_until timestamptz,
  memory text,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX task_name ON task (agent_seq, name) WHERE state <> 'canceled';
CREATE INDEX task_name_any_agent ON task (name) WHERE state <> 'canceled';
CREATE INDEX task_agent ON task (agent_seq, seq);
CREATE INDEX task_due ON task (next_due_at) WHERE state = 'active' AND next_due_at IS NOT NULL;
CREATE INDEX task_without_due ON task (seq) WHERE state = 'active' AND timed AND next_due_at IS NULL;
CREATE INDEX task_event ON task (event_key) WHERE state = 'active' AND event_key IS NOT NULL;

-- Apart from `task`, so that a worker that ends a run never waits for a scheduler that holds the task, nor keeps it waiting.
CREATE TABLE task_activity (
  task_seq bigint PRIMARY KEY REFERENCES task (seq) ON DELETE CASCADE,
  last_run_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- How many tasks there are in each state: counting a million rows for a gauge would not be flat. Several rows for each
-- state, so that two who write tasks at once seldom wait for each other; the sum counts.
CREATE TABLE task_count (
  state text COLLATE "C" NOT NULL,
  part integer NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (state, part)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE FUNCTION pao_count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO task_count AS kept SELECT state, pg_backend_pid() % 16, count(*) FROM fresh GROUP BY state ORDER BY state
      ON CONFLICT (state, part) DO UPDATE SET count = kept.count + excluded.count;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO task_count AS kept SELECT state, pg_backend_pid() % 16, -count(*) FROM stale GROUP BY state ORDER BY state
      ON CONFLICT (state, part) DO UPDATE SET count = kept.count + excluded.count;
  ELSE
    INSERT INTO task_count AS kept
      SELECT state, pg_backend_pid() % 16, sum(change) FROM (
        SELECT fresh.state, 1 AS change FROM fresh JOIN stale USING (seq) WHERE fresh.state <> stale.state
        UNION ALL SELECT stale.state, -1 FROM fresh JOIN stale USING (seq) WHERE fresh.state <> stale.state
      ) AS changes GROUP BY state ORDER BY state
      ON CONFLICT (state, part) DO UPDATE SET count = kept.count + excluded.count;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER task_count_insert AFTER INSERT ON task REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION pao_count_tasks();
CREATE TRIGGER task_count_update AFTER UPDATE ON task REFERENCING NEW TABLE AS fresh OLD TABLE AS stale
  FOR EACH STATEMENT EXECUTE FUNCTION pao_count_tasks();
CREATE TRIGGER task_count_delete AFTER DELETE ON task REFERENCING OLD TABLE AS stale
  FOR EACH STATEMENT EXECUTE FUNCTION pao_count_tasks();

CREATE TABLE task_version (
  task_seq bigint NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
  version integer NOT NULL,
  spec text NOT NULL,
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (task_seq, version)
);

CREATE SEQUENCE run_seq CACHE 1;
CREATE TABLE run (
  seq bigint NOT NULL DEFAULT nextval('run_seq'),
  id text COLLATE "C" NOT NULL,
  task_seq bigint NOT NULL,
  task_version integer NOT NULL,
  agent_seq bigint NOT NULL,
  -- 'active' until it ends: then its row in due_work says whether it is queued, running or waiting, and how often and by
  -- whom it was begun. So a run is written twice, not with each move. Its end changes no indexed column, so that
  -- it costs no index entry (HOT); half of each page is left free for it.
  status text COLLATE "C" NOT NULL CHECK (
    status IN ('active', 'succeeded', 'partial', 'failed', 'dead', 'canceled', 'skipped', 'missed')
  ),
  reason text,
  trigger text COLLATE "C" NOT NULL CHECK (
    trigger IN ('schedule', 'manual', 'event', 'condition', 'catchup', 'replay')
  ),
  scheduled_for timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  run_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  attempt integer NOT NULL DEFAULT 0,
  deaths integer NOT NULL DEFAULT 0,
  priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 9),
  params text NOT NULL DEFAULT '{}',
  event_id text COLLATE "C",
  parent_run_id text COLLATE "C",
  dedupe_key text COLLATE "C",
  -- Whether it was written as a run that counts for its dedupe key, not as a record that it was left out.
  dedupes boolean NOT NULL DEFAULT false,
  output text,
  error text,
  trace_id text,
  worker_id text,
  PRIMARY KEY (seq, scheduled_for),
  CHECK ((finished_at IS NULL) = (status = 'active'))
) PARTITION BY RANGE (scheduled_for);
-- Promise 2 of product.md: an occurrence is written once, whoever writes it.
CREATE UNIQUE INDEX run_occurrence ON run (task_seq, scheduled_for) WHERE trigger IN ('schedule', 'catchup');
CREATE UNIQUE INDEX run_event ON run (task_seq, event_id, scheduled_for) WHERE trigger = 'event';
CREATE INDEX run_id ON run (id);
CREATE INDEX run_task ON run (task_seq, seq);
CREATE INDEX run_agent ON run (agent_seq, seq);
CREATE INDEX run_dedupe ON run (agent_seq, dedupe_key, seq) WHERE dedupes;

-- Runs that ended otherwise than succeeded, for the lists of those. A run that succeeds does not pay for it.
CREATE TABLE run_exception (
  run_seq bigint PRIMARY KEY,
  scheduled_for timestamptz NOT NULL,
  status text COLLATE "C" NOT NULL
);
CREATE INDEX run_exception_dead ON run_exception (run_seq) WHERE status = 'dead';
CREATE INDEX run_exception_time ON run_exception (scheduled_for);

CREATE TABLE step_run (
  run_seq bigint NOT NULL,
  scheduled_for timestamptz NOT NULL,
  step_id text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  tool text,
  status text COLLATE "C" NOT NULL CHECK (
    status IN ('succeeded', 'running', 'failed', 'skipped', 'unknown', 'waiting')
  ),
  reason text,
  attempts integer NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  input text,
  output text,
  error text,
  idempotency_key text,
  usage text,
  PRIMARY KEY (run_seq, step_id, scheduled_for)
) PARTITION BY RANGE (scheduled_for);

-- Idempotency keys that a step has taken; a key belongs to one agent.
CREATE TABLE step_key (
  agent_seq bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  run_seq bigint NOT NULL,
  scheduled_for timestamptz NOT NULL,
  step_id text COLLATE "C" NOT NULL,
  reserved_at timestamptz NOT NULL,
  PRIMARY KEY (agent_seq, key)
);
CREATE INDEX step_key_run ON step_key (run_seq);
CREATE INDEX step_key_time ON step_key (scheduled_for);

-- One row for each run that is queued, running or waiting; the only table a worker searches. It is small and written
-- all the time: it is vacuumed by the number of changes, not by its share, and pages keep room.
CREATE TABLE due_work (
  run_id text COLLATE "C" PRIMARY KEY,
  -- With scheduled_for: its row in run.
  seq bigint NOT NULL,
  scheduled_for timestamptz NOT NULL,
  task_seq bigint NOT NULL,
  agent_seq bigint NOT NULL,
  -- 0 ready: may be leased when run_at has come. 1 leased. 2 parked: due, but its lane is full.
  state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
  -- 1 while the run's status is `waiting`.
  waiting smallint NOT NULL DEFAULT 0,
  -- 1 until it is first leased, when no step of it can have been recorded.
  fresh smallint NOT NULL DEFAULT 1,
  -- 1 once a step of it has taken an idempotency key.
  has_keys smallint NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 0,
  deaths integer NOT NULL DEFAULT 0,
  started_at timestamptz,
  priority smallint NOT NULL,
  run_at timestamptz NOT NULL,
  -- Tags a worker must have, sorted, as a JSON list; '' for none.
  tag_set text COLLATE "C" NOT NULL DEFAULT '',
  -- Concurrency key with its agent, how many may hold it, and which of the places this run has.
  lane text COLLATE "C",
  lane_limit integer,
  lane_slot integer,
  serial smallint NOT NULL DEFAULT 0,
  -- The task, while this run is the one serial run of it that is leased or waiting.
  serial_holder bigint,
  parked_on text COLLATE "C",
  -- Who has it, or had it last.
  lease_owner text COLLATE "C",
  lease_token integer NOT NULL DEFAULT 0,
  lease_expires_at timestamptz,
  -- What `fresh` was before the last lease.
  was_fresh smallint NOT NULL DEFAULT 1,
  cancel_requested smallint NOT NULL DEFAULT 0,
  cancel_reason text,
  CHECK ((state = 1) = (lease_expires_at IS NOT NULL)),
  CHECK ((state = 2) = (parked_on IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX due_work_ready ON due_work (tag_set, priority, run_at, seq) WHERE state = 0;
CREATE INDEX due_work_leased ON due_work (lease_owner) WHERE state = 1;
CREATE INDEX due_work_cancel ON due_work (lease_owner) WHERE state = 1 AND cancel_requested = 1;
CREATE INDEX due_work_parked ON due_work (parked_on, tag_set, priority, run_at, seq) WHERE state = 2;
CREATE INDEX due_work_task ON due_work (task_seq);
-- Two who lease at once can not both get the last place of a lane: one of them fails here and looks again.
CREATE UNIQUE INDEX due_work_lane ON due_work (lane, lane_slot) WHERE lane_slot IS NOT NULL;
CREATE UNIQUE INDEX due_work_serial ON due_work (serial_holder) WHERE serial_holder IS NOT NULL;

CREATE TABLE event (
  sequence bigint PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  topic text COLLATE "C" NOT NULL,
  payload text,
  dedupe_key text COLLATE "C",
  agent_id text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  dispatched_at timestamptz,
  trace_id text
);
CREATE INDEX event_undispatched ON event (sequence) WHERE dispatched_at IS NULL;
CREATE INDEX event_topic ON event (topic, sequence);
CREATE INDEX event_dedupe ON event (agent_id, topic, dedupe_key, created_at) WHERE dedupe_key IS NOT NULL;
CREATE INDEX event_time ON event (created_at) WHERE dispatched_at IS NOT NULL;
-- The number of the last event. A row, not a sequence: numbers become visible in their order, so that a reader who goes
-- on from a number never misses one that was taken earlier and committed later.
CREATE TABLE event_counter (last bigint NOT NULL) WITH (fillfactor = 10);
INSERT INTO event_counter VALUES (0);

CREATE TABLE tool (
  address text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL,
  definition text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE approval (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  run_id text COLLATE "C" NOT NULL,
  run_seq bigint NOT NULL,
  scheduled_for timestamptz NOT NULL,
  task_seq bigint NOT NULL REFERENCES task (seq),
  agent_seq bigint NOT NULL,
  step_id text COLLATE "C" NOT NULL,
  message text NOT NULL,
  data text,
  state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'canceled')),
  on_timeout text NOT NULL CHECK (on_timeout IN ('deny', 'approve', 'skip')),
  requested_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  decided_at timestamptz,
  decided_by text,
  comment text,
  CHECK ((state = 'pending') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX approval_run ON approval (run_seq, step_id);
CREATE UNIQUE INDEX approval_open ON approval (task_seq, step_id) WHERE state = 'pending';
CREATE INDEX approval_pending ON approval (seq) WHERE state = 'pending';
CREATE INDEX approval_agent ON approval (agent_seq, seq);
CREATE INDEX approval_time ON approval (scheduled_for);

-- Runs that wait for an event; the row goes when the run is leased again or ends.
CREATE TABLE event_wait (
  run_id text COLLATE "C" NOT NULL,
  step_id text COLLATE "C" NOT NULL,
  -- As event_key of a task.
  event_key text COLLATE "C" NOT NULL,
  PRIMARY KEY (run_id, step_id)
);
CREATE INDEX event_wait_key ON event_wait (event_key);

-- Answers given again for an Idempotency-Key.
CREATE TABLE kept_answer (
  id text COLLATE "C" PRIMARY KEY,
  answer text NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX kept_answer_at ON kept_answer (at);

CREATE TABLE worker_heartbeat (
  id text COLLATE "C" PRIMARY KEY,
  kind text COLLATE "C" NOT NULL CHECK (kind IN ('supervisor', 'api', 'scheduler', 'worker')),
  slot text COLLATE "C" NOT NULL,
  pid integer NOT NULL,
  host text NOT NULL,
  version text NOT NULL,
  tags jsonb NOT NULL,
  started_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  slots_total integer NOT NULL,
  slots_busy integer NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE audit_log (
  sequence bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  target text,
  details text NOT NULL,
  hash text NOT NULL
);

CREATE TABLE outbox (
  id text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL,
  payload text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  last_error text,
  created_at timestamptz NOT NULL,
  delivered_at timestamptz
);
CREATE INDEX outbox_pending ON outbox (next_attempt_at) WHERE state = 'pending';

-- What workers do all the time is a function each, so that it is one round trip, and so that each of its statements sees
-- what was committed before it (which one statement over locks that were waited for would not). The settings keep
-- plans on the indexes also when a table was never analysed.

-- Wakes who is parked on these lanes: a task's one serial run, a key's free places; the first of each set of worker
-- tags, as no worker may have the tags of the very first.
CREATE FUNCTION pao_wake(lanes text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  name text;
  places integer;
  tags text;
BEGIN
  FOREACH name IN ARRAY lanes LOOP
    tags := (SELECT tag_set FROM due_work WHERE state = 2 AND parked_on = name ORDER BY tag_set LIMIT 1);
    CONTINUE WHEN tags IS NULL;
    places := 1;
    IF name LIKE 'key:%' THEN
      places := greatest(1,
        (SELECT lane_limit FROM due_work WHERE state = 2 AND parked_on = name AND tag_set = tags LIMIT 1)
          - (SELECT count(*) FROM due_work WHERE lane = substr(name, 5) AND lane_slot IS NOT NULL));
    END IF;
    WHILE tags IS NOT NULL LOOP
      UPDATE due_work SET state = 0, parked_on = NULL WHERE state = 2 AND run_id = ANY (ARRAY(
        SELECT run_id FROM due_work WHERE state = 2 AND parked_on = name AND tag_set = tags
          ORDER BY priority, run_at, seq LIMIT places FOR UPDATE SKIP LOCKED));
      tags := (SELECT tag_set FROM due_work WHERE state = 2 AND parked_on = name AND tag_set > tags
        ORDER BY tag_set LIMIT 1);
    END LOOP;
  END LOOP;
END $$;

-- Leases up to `wanted` of the first `depth` due rows. @returns the leased ones in their order with what a worker needs,
-- and those that can not be leased now as their lane is full (`waits_for` says which), to be parked by pao_park.
CREATE FUNCTION pao_lease(worker text, at timestamptz, until timestamptz, wanted integer, depth integer, tags text[])
RETURNS TABLE (waits_for text, id text, task_seq bigint, task_version integer, fresh smallint, attempt integer,
  deaths integer, lease_token integer, cancel_requested smallint, priority smallint, run_at timestamptz,
  started_at timestamptz, scheduled_for timestamptz, created_at timestamptz, trigger text, params text, event_id text,
  parent_run_id text, dedupe_key text, trace_id text, seq bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  sets text[] := ARRAY[''];
  next_set text := '';
  ids text[];
  places integer[];
  resumed text[];
  blocked text[];
  blocked_on text[];
BEGIN
  -- A lease need not outlive a crash of the database: what is recorded of the run afterwards makes it durable as well.
  PERFORM set_config('synchronous_commit', 'off', true);
  IF cardinality(tags) > 0 THEN
    LOOP
      next_set := (SELECT tag_set FROM due_work WHERE state = 0 AND tag_set > next_set ORDER BY tag_set LIMIT 1);
      EXIT WHEN next_set IS NULL;
      IF next_set::jsonb <@ to_jsonb(tags) THEN sets := sets || next_set; END IF;
    END LOOP;
  END IF;
  WITH ready AS MATERIALIZED (
    SELECT row_number() OVER () AS pos, found.* FROM (
      SELECT due.* FROM generate_series(1, 9) AS level(priority), LATERAL (
        SELECT one.* FROM unnest(sets) AS wanted_set(tag_set), LATERAL (
          SELECT d.run_id, d.seq, d.task_seq, d.lane, d.lane_limit, d.serial, d.serial_holder, d.deaths, d.waiting, d.run_at
          FROM due_work d
          WHERE d.state = 0 AND d.tag_set = wanted_set.tag_set AND d.priority = level.priority AND d.run_at <= at
          ORDER BY d.run_at, d.seq LIMIT depth FOR UPDATE SKIP LOCKED
        ) AS one ORDER BY one.run_at, one.seq LIMIT depth
      ) AS due LIMIT depth
    ) AS found
  ), by_task AS MATERIALIZED (
    SELECT *, serial = 1 AND serial_holder IS NULL AND (
        row_number() OVER (PARTITION BY task_seq, serial, serial_holder ORDER BY pos) > 1
        OR EXISTS (SELECT FROM due_work h WHERE h.serial_holder = r.task_seq)) AS task_blocked
    FROM ready r
  ), by_lane AS MATERIALIZED (
    SELECT *, CASE WHEN lane IS NULL OR task_blocked THEN NULL
      ELSE (SELECT count(*) FROM due_work h WHERE h.lane = b.lane AND h.lane_slot IS NOT NULL)::integer END AS held,
      CASE WHEN lane IS NULL THEN NULL
      ELSE row_number() OVER (PARTITION BY lane, task_blocked ORDER BY pos) END AS lane_rank
    FROM by_task b
  ), judged AS MATERIALIZED (
    SELECT *, held IS NOT NULL AND held + lane_rank > lane_limit AS lane_blocked FROM by_lane
  ), open AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY pos) AS place, min(pos) FILTER (WHERE deaths > 0) OVER () AS suspect
    FROM judged WHERE NOT task_blocked AND NOT lane_blocked
  ), taken AS MATERIALIZED (
    SELECT pos, run_id, waiting, CASE WHEN lane IS NULL THEN NULL ELSE (
        SELECT free.slot FROM generate_series(1, lane_limit + held) AS free(slot)
        WHERE NOT EXISTS (SELECT FROM due_work h WHERE h.lane = o.lane AND h.lane_slot = free.slot)
        ORDER BY free.slot OFFSET lane_rank - 1 LIMIT 1) END AS lane_slot
    -- A run that a worker died of is leased alone.
    FROM open o WHERE place <= wanted AND (suspect IS NULL OR pos < suspect OR (pos = suspect AND place = 1))
  )
  SELECT (SELECT array_agg(run_id ORDER BY pos) FROM taken), (SELECT array_agg(lane_slot ORDER BY pos) FROM taken),
    (SELECT array_agg(run_id) FROM taken WHERE waiting = 1), array_agg(run_id ORDER BY pos),
    array_agg(CASE WHEN task_blocked THEN 'task:' || task_seq ELSE 'key:' || lane END ORDER BY pos)
  INTO ids, places, resumed, blocked, blocked_on
  FROM judged WHERE task_blocked OR lane_blocked;

  IF resumed IS NOT NULL THEN DELETE FROM event_wait WHERE run_id = ANY (resumed); END IF;

  UPDATE due_work d SET state = 1, waiting = 0, fresh = 0, lease_owner = worker, lease_token = d.lease_token + 1,
    lease_expires_at = until, serial_holder = CASE WHEN d.serial = 1 THEN d.task_seq END,
    lane_slot = CASE WHEN d.lane IS NOT NULL THEN places[array_position(ids, d.run_id)] END,
    -- Coming back from a wait is the same attempt.
    attempt = d.attempt + CASE WHEN d.waiting = 1 THEN 0 ELSE 1 END,
    started_at = coalesce(d.started_at, at), was_fresh = d.fresh
  WHERE d.run_id = ANY (ids);

  RETURN QUERY SELECT NULL::text, d.run_id, d.task_seq, r.task_version, d.was_fresh, d.attempt, d.deaths, d.lease_token,
      d.cancel_requested, d.priority, d.run_at, d.started_at, d.scheduled_for, r.created_at, r.trigger, r.params,
      r.event_id, r.parent_run_id, r.dedupe_key, r.trace_id, d.seq
    FROM unnest(ids) WITH ORDINALITY AS one(run_id, pos)
    JOIN due_work d ON d.run_id = one.run_id
    JOIN run r ON r.seq = d.seq AND r.scheduled_for = d.scheduled_for
    ORDER BY one.pos;
  IF blocked IS NOT NULL THEN
    RETURN QUERY SELECT one.lane, one.run_id, NULL::bigint, NULL::integer, NULL::smallint, NULL::integer, NULL::integer,
        NULL::integer, NULL::smallint, NULL::smallint, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz,
        NULL::timestamptz, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text, NULL::bigint
      FROM unnest(blocked, blocked_on) AS one(run_id, lane);
  END IF;
END $$;

-- Takes due runs out of the workers' sight until their lane has room. Holds on to those that are in the lane, so that
-- none of them can leave it unseen: who leaves afterwards sees the parked one and wakes it. @returns how many were parked.
CREATE FUNCTION pao_park(ids text[], lanes text[]) RETURNS integer
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  parked integer;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM FROM (SELECT FROM due_work WHERE serial_holder = ANY (
      SELECT substr(name, 6)::bigint FROM unnest(lanes) AS one(name) WHERE name LIKE 'task:%')
    ORDER BY run_id FOR KEY SHARE) AS held;
  PERFORM FROM (SELECT FROM due_work WHERE lane_slot IS NOT NULL AND lane = ANY (
      SELECT substr(name, 5) FROM unnest(lanes) AS one(name) WHERE name LIKE 'key:%')
    ORDER BY run_id FOR KEY SHARE) AS held;
  UPDATE due_work d SET state = 2, parked_on = one.name FROM unnest(ids, lanes) AS one(run_id, name)
  WHERE d.run_id = one.run_id AND d.state = 0 AND CASE WHEN one.name LIKE 'task:%'
    THEN EXISTS (SELECT FROM due_work h WHERE h.serial_holder = d.task_seq)
    ELSE (SELECT count(*) FROM due_work h WHERE h.lane = d.lane AND h.lane_slot IS NOT NULL) >= d.lane_limit END;
  GET DIAGNOSTICS parked = ROW_COUNT;
  RETURN parked;
END $$;

-- Writes steps; what was recorded of them before is replaced. `owners` gives for each step the place of its run in
-- `runs` and `times`, from 1; a run below 0 is left out.
CREATE FUNCTION pao_write_steps(runs bigint[], times timestamptz[], owners integer[], ids text[], positions integer[],
  tools text[], statuses text[], reasons text[], attempts integer[], started bigint[], finished bigint[], inputs text[],
  outputs text[], errors text[], keys text[], usages text[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO step_run (run_seq, scheduled_for, step_id, position, tool, status, reason, attempts, started_at, finished_at,
      input, output, error, idempotency_key, usage)
    SELECT runs[s.owner], times[s.owner], s.id, s.position, s.tool, s.status, s.reason, s.attempts, pao_at(s.started),
      pao_at(s.finished), s.input, s.output, s.error, s.key, s.usage
    FROM unnest(owners, ids, positions, tools, statuses, reasons, attempts, started, finished, inputs, outputs, errors, keys,
      usages) AS s(owner, id, position, tool, status, reason, attempts, started, finished, input, output, error, key, usage)
    WHERE runs[s.owner] >= 0
  ON CONFLICT (run_seq, step_id, scheduled_for) DO UPDATE SET position = excluded.position, tool = excluded.tool,
    status = excluded.status, reason = excluded.reason, attempts = excluded.attempts, started_at = excluded.started_at,
    finished_at = excluded.finished_at, input = excluded.input, output = excluded.output, error = excluded.error,
    idempotency_key = excluded.idempotency_key, usage = excluded.usage
$$;

-- Makes the runs of tasks that wait due at once: a question was answered, or nobody asks it any more.
CREATE FUNCTION pao_wake_waiting(tasks bigint[], at timestamptz) RETURNS void LANGUAGE sql AS $$
  UPDATE due_work SET run_at = at WHERE task_seq = ANY (tasks) AND state = 0 AND waiting = 1 AND run_at > at
$$;

-- Gives runs their final status, deletes their due work (locked by the caller), frees their keys, withdraws their
-- questions and wakes who waited behind them.
CREATE FUNCTION pao_end_runs(ids text[], statuses text[], reasons text[], errors text[], outputs text[], ended timestamptz[])
RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  keyed bigint[];
  lanes text[];
  unasked bigint[];
  asking bigint[];
  awaiting text[];
BEGIN
  WITH gone AS (
    DELETE FROM due_work d USING unnest(ids, statuses, reasons, errors, outputs, ended)
      AS one(run_id, status, reason, error, output, ended)
    WHERE d.run_id = one.run_id
    RETURNING one.status, one.reason, one.error, one.output, one.ended, d.run_id, d.seq, d.scheduled_for, d.task_seq,
      d.state, d.waiting, d.serial, d.lane, d.has_keys, d.attempt, d.deaths, d.started_at, d.lease_owner
  ), written AS (
    UPDATE run r SET status = gone.status, reason = gone.reason, error = gone.error, output = gone.output,
      finished_at = gone.ended, attempt = gone.attempt, deaths = gone.deaths, started_at = gone.started_at,
      worker_id = gone.lease_owner
    FROM gone WHERE r.seq = gone.seq AND r.scheduled_for = gone.scheduled_for
    RETURNING r.seq, r.scheduled_for, r.status
  ), exceptions AS (
    INSERT INTO run_exception SELECT seq, scheduled_for, status FROM written WHERE status <> 'succeeded'
    ON CONFLICT DO NOTHING
  )
  SELECT array_agg(seq) FILTER (WHERE has_keys = 1),
    (SELECT array_agg(DISTINCT name) FROM (
      SELECT 'task:' || task_seq AS name FROM gone WHERE serial = 1 AND state <> 2
      UNION ALL SELECT 'key:' || lane FROM gone WHERE lane IS NOT NULL AND state <> 2) AS names),
    array_agg(seq) FILTER (WHERE status <> 'succeeded'), array_agg(run_id) FILTER (WHERE waiting = 1)
  INTO keyed, lanes, unasked, awaiting FROM gone;
  IF awaiting IS NOT NULL THEN DELETE FROM event_wait WHERE run_id = ANY (awaiting); END IF;
  -- A run that succeeded has nothing open: the happy path does not look.
  IF unasked IS NOT NULL THEN
    WITH withdrawn AS (
      UPDATE approval SET state = 'canceled', decided_at = ended[1], decided_by = 'run'
      WHERE run_seq = ANY (unasked) AND state = 'pending' RETURNING task_seq
    )
    SELECT array_agg(task_seq) INTO asking FROM withdrawn;
    IF asking IS NOT NULL THEN PERFORM pao_wake_waiting(asking, ended[1]); END IF;
  END IF;
  IF keyed IS NOT NULL THEN
    -- A key stays taken when its step did its work, or may have.
    DELETE FROM step_key k WHERE k.run_seq = ANY (keyed) AND NOT EXISTS (
      SELECT FROM step_run s WHERE s.run_seq = k.run_seq AND s.step_id = k.step_id AND s.scheduled_for = k.scheduled_for
        AND s.status NOT IN ('failed', 'skipped'));
  END IF;
  IF lanes IS NOT NULL THEN PERFORM pao_wake(lanes); END IF;
END $$;

-- Ends the leases of runs that go on later (locked by the caller).
CREATE FUNCTION pao_give_back(ids text[], are_waiting boolean[], run_ats timestamptz[], attempts integer[],
  death_counts integer[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  lanes text[];
BEGIN
  WITH back AS (
    UPDATE due_work d SET state = 0, waiting = one.waits::integer, run_at = one.run_at, lease_expires_at = NULL,
      lane_slot = NULL, serial_holder = CASE WHEN one.waits THEN d.serial_holder END, attempt = one.attempt,
      deaths = one.deaths
    FROM unnest(ids, are_waiting, run_ats, attempts, death_counts) AS one(run_id, waits, run_at, attempt, deaths)
    WHERE d.run_id = one.run_id
    RETURNING d.task_seq, d.serial, d.lane, one.waits
  )
  SELECT array_agg(DISTINCT name) INTO lanes FROM (
    SELECT 'task:' || task_seq AS name FROM back WHERE serial = 1 AND NOT waits
    UNION ALL SELECT 'key:' || lane FROM back WHERE lane IS NOT NULL) AS names;
  IF lanes IS NOT NULL THEN PERFORM pao_wake(lanes); END IF;
END $$;

-- Ends attempts. `owners` may be NULL where the caller does not know who leased. @returns ids that were refused.
CREATE FUNCTION pao_complete(at bigint, durable boolean, ids text[], tokens integer[], owners text[], statuses text[],
  reasons text[], errors text[], outputs text[], ended bigint[], run_ats bigint[], interrupted boolean[],
  remembers boolean[], memories text[],
  step_owners integer[], step_ids text[], positions integer[], tools text[], step_statuses text[], step_reasons text[],
  attempts integer[], started bigint[], finished bigint[], inputs text[], step_outputs text[], step_errors text[],
  keys text[], usages text[]) RETURNS text[]
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  seqs bigint[];
  times timestamptz[];
  tasks bigint[];
  ends text[];
  canceled integer[];
  begun timestamptz[];
  more integer;
BEGIN
  IF NOT durable THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
  PERFORM FROM (SELECT FROM due_work WHERE run_id = ANY (ids) ORDER BY run_id FOR UPDATE) AS mine;
  SELECT array_agg(coalesce(d.seq, -1) ORDER BY one.place), array_agg(d.scheduled_for ORDER BY one.place),
    array_agg(coalesce(d.task_seq, -1) ORDER BY one.place), array_agg(d.started_at ORDER BY one.place),
    array_agg(CASE WHEN d.seq IS NULL THEN NULL WHEN statuses[one.place] NOT IN ('queued', 'waiting') THEN statuses[one.place]
      WHEN d.cancel_requested = 1 THEN 'canceled' ELSE 'back' END ORDER BY one.place),
    array_agg(d.cancel_requested ORDER BY one.place)
  INTO seqs, times, tasks, begun, ends, canceled
  FROM unnest(ids, tokens, owners) WITH ORDINALITY AS one(run_id, token, owner, place)
  LEFT JOIN due_work d ON d.run_id = one.run_id AND d.state = 1 AND d.lease_token = one.token
    AND (one.owner IS NULL OR d.lease_owner = one.owner);

  IF cardinality(step_ids) > 0 THEN
    PERFORM pao_write_steps(seqs, times, step_owners, step_ids, positions, tools, step_statuses, step_reasons, attempts,
      started, finished, inputs, step_outputs, step_errors, keys, usages);
  END IF;

  PERFORM pao_end_runs(array_agg(ids[i]), array_agg(ends[i]),
      array_agg(CASE
        -- Asked too late: the work was done.
        WHEN ends[i] = statuses[i] AND canceled[i] = 1 AND statuses[i] IN ('succeeded', 'partial')
          THEN coalesce(reasons[i], 'cancel_too_late')
        WHEN ends[i] = statuses[i] THEN reasons[i]
        ELSE (SELECT cancel_reason FROM due_work d WHERE d.run_id = ids[i]) END),
      array_agg(errors[i]), array_agg(outputs[i]), array_agg(pao_at(ended[i])))
    FROM generate_subscripts(ids, 1) AS i WHERE ends[i] <> 'back' HAVING count(*) > 0;

  more := (SELECT count(*) FROM unnest(ends) AS one(how) WHERE how = 'back');
  IF more > 0 THEN
    UPDATE run r SET reason = reasons[i], error = errors[i], output = outputs[i], run_at = pao_at(coalesce(run_ats[i], at))
      FROM generate_subscripts(ids, 1) AS i
      WHERE ends[i] = 'back' AND r.seq = seqs[i] AND r.scheduled_for = times[i];
    PERFORM pao_give_back(array_agg(ids[i]), array_agg(statuses[i] = 'waiting'),
        array_agg(pao_at(coalesce(run_ats[i], at))), array_agg(d.attempt - interrupted[i]::integer), array_agg(d.deaths))
      FROM generate_subscripts(ids, 1) AS i JOIN due_work d ON d.run_id = ids[i] WHERE ends[i] = 'back';
  END IF;

  IF true = ANY (remembers) THEN
    UPDATE task t SET memory = memories[i] FROM generate_subscripts(ids, 1) AS i
      WHERE remembers[i] AND ends[i] IS NOT NULL AND t.seq = tasks[i];
  END IF;
  -- One that somebody else writes at this moment is left to him: it says "about when", and nobody waits for it.
  INSERT INTO task_activity SELECT tasks[i], max(begun[i]) FROM generate_subscripts(ids, 1) AS i
    WHERE ends[i] IS NOT NULL AND begun[i] IS NOT NULL
      AND NOT EXISTS (SELECT FROM task_activity a WHERE a.task_seq = tasks[i])
    GROUP BY tasks[i] ORDER BY tasks[i] ON CONFLICT DO NOTHING;
  WITH latest AS MATERIALIZED (
    SELECT tasks[i] AS task_seq, max(begun[i]) AS begun FROM generate_subscripts(ids, 1) AS i
    WHERE ends[i] IS NOT NULL AND begun[i] IS NOT NULL GROUP BY tasks[i]
  ), free AS MATERIALIZED (
    SELECT a.task_seq, latest.begun FROM latest JOIN task_activity a ON a.task_seq = latest.task_seq
    WHERE a.last_run_at < latest.begun FOR UPDATE OF a SKIP LOCKED
  )
  UPDATE task_activity a SET last_run_at = free.begun FROM free WHERE a.task_seq = free.task_seq;

  RETURN (SELECT coalesce(array_agg(ids[i] ORDER BY i), '{}') FROM generate_subscripts(ids, 1) AS i WHERE ends[i] IS NULL);
END $$;

-- Records steps of leased runs before their next side effect. @returns ids of the runs that were refused.
CREATE FUNCTION pao_record(ids text[], tokens integer[], owners text[], step_owners integer[], step_ids text[],
  positions integer[], tools text[], step_statuses text[], step_reasons text[], attempts integer[], started bigint[],
  finished bigint[], inputs text[], step_outputs text[], step_errors text[], keys text[], usages text[]) RETURNS text[]
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  seqs bigint[];
  times timestamptz[];
BEGIN
  PERFORM FROM (SELECT FROM due_work WHERE run_id = ANY (ids) ORDER BY run_id FOR UPDATE) AS mine;
  SELECT array_agg(coalesce(d.seq, -1) ORDER BY one.place), array_agg(d.scheduled_for ORDER BY one.place)
  INTO seqs, times
  FROM unnest(ids, tokens, owners) WITH ORDINALITY AS one(run_id, token, owner, place)
  LEFT JOIN due_work d ON d.run_id = one.run_id AND d.state = 1 AND d.lease_token = one.token
    AND (one.owner IS NULL OR d.lease_owner = one.owner);
  PERFORM pao_write_steps(seqs, times, step_owners, step_ids, positions, tools, step_statuses, step_reasons, attempts,
    started, finished, inputs, step_outputs, step_errors, keys, usages);
  RETURN (SELECT coalesce(array_agg(ids[i] ORDER BY i), '{}') FROM generate_subscripts(ids, 1) AS i WHERE seqs[i] < 0);
END $$;
