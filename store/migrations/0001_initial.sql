-- Schema 1. Documented in store/README.md; never edited once released, only followed by another.
-- Ids are UUIDv7 in text, times RFC 3339 in UTC with nine decimals, so both sort as text.

CREATE TABLE machine (
  key               TEXT PRIMARY KEY,       -- 12 hex digits over all the other columns
  chip              TEXT NOT NULL,          -- processor as its maker names it
  performance_cores INTEGER NOT NULL,       -- fast cores; all of them where there is one kind
  efficiency_cores  INTEGER NOT NULL,       -- slow cores; 0 where there is one kind
  memory_gib        INTEGER NOT NULL,       -- installed memory, whole GiB
  gpus              TEXT NOT NULL,          -- JSON list of texts
  arch              TEXT NOT NULL,          -- instruction set
  os                TEXT NOT NULL           -- system and major version
) STRICT;

CREATE TABLE session (
  id            TEXT PRIMARY KEY,           -- one call of `harness run`
  at            TEXT NOT NULL,              -- start
  finished      TEXT,                       -- end; NULL where it was cut off
  plan          TEXT NOT NULL,              -- hash of what was to be run
  suite         TEXT NOT NULL,              -- name of the suite
  profile       TEXT NOT NULL,              -- quick, standard or full
  machine       TEXT NOT NULL REFERENCES machine (key),
  commit_id     TEXT,                       -- 40-hex git commit of the measured source
  branch        TEXT,                       -- its branch
  dirty         INTEGER,                    -- 1 with uncommitted changes, NULL without git
  backends      TEXT NOT NULL,              -- JSON object: backend crate -> version
  harness       TEXT NOT NULL,              -- version of the program
  compiler      TEXT NOT NULL,              -- the compiler, as it names itself
  os_build      TEXT NOT NULL,              -- full system version
  power         TEXT NOT NULL,              -- ac, battery or unknown
  release_build INTEGER NOT NULL,           -- 1 where built with optimisation
  threads       INTEGER NOT NULL            -- threads the backends may use
) STRICT;
CREATE INDEX session_by_machine ON session (machine, at);
CREATE INDEX session_by_plan ON session (plan, machine, at);

CREATE TABLE run (
  id        TEXT PRIMARY KEY,               -- one cell, measured once
  session   TEXT NOT NULL REFERENCES session (id),
  at        TEXT NOT NULL,                  -- start
  wall_s    REAL NOT NULL,                  -- wall time of the whole cell, seconds
  model     TEXT NOT NULL,                  -- the cell: model name,
  scenario  TEXT NOT NULL,                  --   scenario name,
  backend   TEXT NOT NULL,                  --   candle or mlx,
  device    TEXT NOT NULL,                  --   cpu, metal or cuda,
  precision TEXT NOT NULL,                  --   arithmetic and stored weights,
  weights   TEXT NOT NULL,                  --   embedded, published, local or dummy,
  revision  TEXT NOT NULL,                  --   identity of the weights
  outcome   TEXT NOT NULL CHECK (outcome IN ('measured', 'failed')),
  stage     TEXT,                           -- where it failed: start, load, ask, timeout, crash
  message   TEXT                            -- why it failed, one line
) STRICT;
CREATE INDEX run_by_session ON run (session, at);
CREATE INDEX run_by_model ON run (model, scenario, at);

CREATE TABLE sample (
  run      TEXT NOT NULL REFERENCES run (id),
  metric   TEXT NOT NULL,                   -- stable name
  position INTEGER NOT NULL,                -- order within the run, from 0
  unit     TEXT NOT NULL,                   -- s, byte, tok/s, ratio, count or logit
  trials   INTEGER NOT NULL,                -- number of values
  epochs   TEXT NOT NULL,                   -- JSON list (epochs) of lists (trials) of numbers
  PRIMARY KEY (run, metric)
) STRICT, WITHOUT ROWID;

CREATE TABLE void (
  run      TEXT NOT NULL REFERENCES run (id),
  position INTEGER NOT NULL,                -- order within the run, from 0
  metric   TEXT,                            -- the refused metric; NULL for the whole cell
  count    INTEGER NOT NULL,                -- values left out
  reason   TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE answer (
  run      TEXT NOT NULL REFERENCES run (id),
  position INTEGER NOT NULL,                -- order within the run, from 0
  item     TEXT NOT NULL,                   -- id of the probe
  arm      TEXT NOT NULL,                   -- condition: right, blank, turn 4, ...
  prompt   TEXT NOT NULL,                   -- rendered prompt
  text     TEXT NOT NULL,                   -- what the model said
  expected TEXT,                            -- the known answer
  is_right INTEGER,                         -- 1 right, 0 wrong, NULL without a known answer
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;

-- The earlier Python tool. Shown, never compared with runs, never gated on.

CREATE TABLE guide (
  id          TEXT PRIMARY KEY,             -- derived from the content
  title       TEXT NOT NULL,
  date        TEXT NOT NULL,                -- YYYY-MM-DD
  updated     TEXT NOT NULL,                -- YYYY-MM-DD HH:MM:SS, local time
  environment TEXT NOT NULL                 -- where it was measured
) STRICT;
CREATE INDEX guide_by_date ON guide (date);

CREATE TABLE guide_row (
  guide       TEXT NOT NULL REFERENCES guide (id),
  position    INTEGER NOT NULL,             -- order in the table, from 0
  model       TEXT NOT NULL,
  model_id    TEXT NOT NULL,                -- repository of the weights
  vision      INTEGER NOT NULL,             -- 1 reported to work
  text        INTEGER NOT NULL,             -- 1 reported to work without a picture
  inference_s REAL NOT NULL,                -- seconds
  load_s      REAL NOT NULL,                -- seconds
  memory_gb   REAL NOT NULL,                -- GB
  status      TEXT NOT NULL,
  PRIMARY KEY (guide, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE guide_note (
  guide    TEXT NOT NULL REFERENCES guide (id),
  section  TEXT NOT NULL CHECK (section IN ('recommendation', 'issue')),
  position INTEGER NOT NULL,                -- order in the section, from 0
  label    TEXT NOT NULL,                   -- before the colon
  text     TEXT NOT NULL,                   -- after it
  PRIMARY KEY (guide, section, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE historic (
  position         INTEGER PRIMARY KEY,     -- order of import
  id               TEXT NOT NULL UNIQUE,    -- derived from the content
  kind             TEXT NOT NULL,           -- guide, vlm_perf, context, vqa, ...
  date             TEXT NOT NULL,           -- YYYY-MM-DD
  timestamp        TEXT,                    -- YYYY-MM-DD HH:MM:SS, local time
  model            TEXT NOT NULL,
  model_id         TEXT,
  vision           INTEGER,
  pure_text        INTEGER,
  avg_inference_s  REAL,
  load_time_s      REAL,
  memory_diff_gb   REAL,
  status           TEXT,                    -- as reported then
  status_reaudited TEXT,                    -- after the audit
  flags            TEXT NOT NULL,           -- JSON list: what the audit found wrong
  source           TEXT NOT NULL            -- the whole original row as JSON
) STRICT;
CREATE INDEX historic_by_model ON historic (model, date);
