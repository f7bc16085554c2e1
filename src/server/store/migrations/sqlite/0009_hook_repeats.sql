-- Deliveries whose bodies are equal are events of their own; else the second is taken for the first, sent again.
ALTER TABLE hook ADD COLUMN allow_repeats INTEGER NOT NULL DEFAULT 0;
