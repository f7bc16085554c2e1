-- Answers given again for an Idempotency-Key: a table of their own, so that old ones can be found and deleted.
CREATE TABLE kept_answer (
  id TEXT PRIMARY KEY,
  answer TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_answer_at ON kept_answer (at);
INSERT INTO kept_answer (id, answer, at)
  SELECT substr(key, 13), value, json_extract(value, '$.at') FROM meta WHERE key LIKE 'idempotency/%';
DELETE FROM meta WHERE key LIKE 'idempotency/%';
