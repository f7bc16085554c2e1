-- Who looks for runs that failed does not read through those that were skipped: a condition writes one at each look.
CREATE INDEX run_trouble ON run (seq)
  WHERE status IN ('partial', 'failed', 'dead', 'canceled');
