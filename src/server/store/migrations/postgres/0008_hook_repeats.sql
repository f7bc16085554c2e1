-- Deliveries whose bodies are equal are events of their own; else the second is taken for the first, sent again.
ALTER TABLE hook ADD COLUMN allow_repeats boolean NOT NULL DEFAULT false;
