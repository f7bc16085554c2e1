-- The trace a request published the event in: what it triggers belongs to it.
ALTER TABLE event ADD COLUMN trace_id TEXT;
