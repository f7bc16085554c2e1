-- Who looks for runs that failed does not read through those that were skipped: a condition writes one at each look.
CREATE INDEX run_exception_trouble ON run_exception (run_seq)
  WHERE status IN ('partial', 'failed', 'dead', 'canceled');
