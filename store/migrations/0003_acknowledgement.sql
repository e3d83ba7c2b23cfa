-- Schema 3: changes that somebody has looked at and accepted.

CREATE TABLE acknowledgement (
  series   TEXT NOT NULL,                   -- key of the series
  run      TEXT NOT NULL,                   -- first run at the new level; it may have been pruned since
  at       TEXT NOT NULL,                   -- when it was accepted
  reason   TEXT NOT NULL,                   -- why, one line
  PRIMARY KEY (series, run)
) STRICT, WITHOUT ROWID;
