-- Schema 2: circumstances and findings beside a run's figures, and what a machine's own noise is.

CREATE TABLE remark (
  run      TEXT NOT NULL REFERENCES run (id),
  position INTEGER NOT NULL,                -- order within the run, from 0
  kind     TEXT NOT NULL CHECK (kind IN ('advisory', 'finding')),
  count    INTEGER NOT NULL,                -- trials it is about; 0 for the whole run
  text     TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE noise (
  machine  TEXT NOT NULL REFERENCES machine (key),
  at       TEXT NOT NULL,                   -- when it was measured
  metric   TEXT NOT NULL,                   -- stable name
  floor    REAL NOT NULL,                   -- relative change below which nothing is claimed
  pairs    INTEGER NOT NULL,                -- A/A pairs it rests on
  harness  TEXT NOT NULL,                   -- version of the program
  PRIMARY KEY (machine, at, metric)
) STRICT, WITHOUT ROWID;
