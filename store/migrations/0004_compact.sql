-- Schema 4: three years of nightly runs in one file. Rows of a run name it by a small number in place
-- of a text of 36 characters, raw values are packed, and answers that are the same night after night
-- are kept once. `pack`, `middle` and `sheet_id` are functions of the program that upgrades
-- (db/upgrade.rs). Foreign keys are off meanwhile and checked before the commit.

CREATE TABLE sheet (
  number INTEGER PRIMARY KEY,               -- of this file alone
  id     TEXT NOT NULL UNIQUE               -- derived from the answers
) STRICT;
CREATE TABLE sheet_of (run TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO sheet_of (run, id)
  SELECT run, sheet_id(json_group_array(json_array(item, arm, prompt, text, expected, is_right)))
  FROM (SELECT * FROM answer ORDER BY run, position) GROUP BY run;
INSERT INTO sheet (id) SELECT DISTINCT id FROM sheet_of ORDER BY id;

CREATE TABLE run_4 (
  number    INTEGER PRIMARY KEY,            -- of this file alone: other tables name a run by it
  id        TEXT NOT NULL UNIQUE,           -- one cell, measured once
  session   TEXT NOT NULL REFERENCES session (id),
  sheet     INTEGER REFERENCES sheet (number), -- what the model said; NULL where nothing is kept
  at        TEXT NOT NULL,                  -- start
  wall_s    REAL NOT NULL,                  -- wall time of the whole cell, seconds
  model     TEXT NOT NULL,                  -- the cell: model name,
  scenario  TEXT NOT NULL,                  --   scenario name,
  backend   TEXT NOT NULL,                  --   candle, mlx or the tool of a micro-bench,
  device    TEXT NOT NULL,                  --   cpu, metal or cuda,
  precision TEXT NOT NULL,                  --   arithmetic and stored weights,
  weights   TEXT NOT NULL,                  --   embedded, published, local or dummy,
  revision  TEXT NOT NULL,                  --   identity of the weights
  outcome   TEXT NOT NULL CHECK (outcome IN ('measured', 'failed')),
  stage     TEXT,                           -- where it failed: start, load, ask, timeout, crash
  message   TEXT                            -- why it failed, one line
) STRICT;
INSERT INTO run_4 (id, session, sheet, at, wall_s, model, scenario, backend, device, precision,
    weights, revision, outcome, stage, message)
  SELECT run.id, session, sheet.number, at, wall_s, model, scenario, backend, device, precision,
    weights, revision, outcome, stage, message
  FROM run LEFT JOIN sheet_of ON sheet_of.run = run.id LEFT JOIN sheet ON sheet.id = sheet_of.id
  ORDER BY at, run.id;

CREATE TABLE sample_4 (
  run      INTEGER NOT NULL REFERENCES run (number),
  metric   TEXT NOT NULL,                   -- stable name
  position INTEGER NOT NULL,                -- order within the run, from 0
  unit     TEXT NOT NULL,                   -- s, byte, tok/s, byte/s, ratio, count or logit
  trials   INTEGER NOT NULL,                -- number of values
  middle   REAL,                            -- median of epoch medians; mean of scores; NULL without a value
  epochs   BLOB NOT NULL,                   -- epochs of trials, packed: README.md has the format
  PRIMARY KEY (run, metric)
) STRICT, WITHOUT ROWID;
INSERT INTO sample_4 (run, metric, position, unit, trials, middle, epochs)
  SELECT run_4.number, metric, position, unit, trials, middle(metric, epochs), pack(epochs)
  FROM sample LEFT JOIN run_4 ON run_4.id = sample.run;

CREATE TABLE void_4 (
  run      INTEGER NOT NULL REFERENCES run (number),
  position INTEGER NOT NULL,                -- order within the run, from 0
  metric   TEXT,                            -- the refused metric; NULL for the whole cell
  count    INTEGER NOT NULL,                -- values left out
  reason   TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
INSERT INTO void_4 (run, position, metric, count, reason)
  SELECT run_4.number, position, metric, count, reason
  FROM void LEFT JOIN run_4 ON run_4.id = void.run;

CREATE TABLE answer_4 (
  sheet    INTEGER NOT NULL REFERENCES sheet (number),
  position INTEGER NOT NULL,                -- order within the sheet, from 0
  item     TEXT NOT NULL,                   -- id of the probe
  arm      TEXT NOT NULL,                   -- condition: right, blank, turn 4, ...
  prompt   TEXT NOT NULL,                   -- rendered prompt
  text     TEXT NOT NULL,                   -- what the model said
  expected TEXT,                            -- the known answer
  is_right INTEGER,                         -- 1 right, 0 wrong, NULL without a known answer
  PRIMARY KEY (sheet, position)
) STRICT, WITHOUT ROWID;
INSERT INTO answer_4 (sheet, position, item, arm, prompt, text, expected, is_right)
  SELECT sheet.number, position, item, arm, prompt, text, expected, is_right
  FROM (SELECT id, min(run) AS run FROM sheet_of GROUP BY id) AS first
  JOIN sheet ON sheet.id = first.id JOIN answer ON answer.run = first.run;

CREATE TABLE remark_4 (
  run      INTEGER NOT NULL REFERENCES run (number),
  position INTEGER NOT NULL,                -- order within the run, from 0
  kind     TEXT NOT NULL CHECK (kind IN ('advisory', 'finding')),
  count    INTEGER NOT NULL,                -- trials it is about; 0 for the whole run
  text     TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
INSERT INTO remark_4 (run, position, kind, count, text)
  SELECT run_4.number, position, kind, count, text
  FROM remark LEFT JOIN run_4 ON run_4.id = remark.run;

DROP TABLE sheet_of;
DROP TABLE sample;
DROP TABLE void;
DROP TABLE answer;
DROP TABLE remark;
DROP TABLE run;
ALTER TABLE run_4 RENAME TO run;
ALTER TABLE sample_4 RENAME TO sample;
ALTER TABLE void_4 RENAME TO void;
ALTER TABLE answer_4 RENAME TO answer;
ALTER TABLE remark_4 RENAME TO remark;

CREATE INDEX run_by_session ON run (session);
CREATE INDEX run_by_sheet ON run (sheet);
CREATE INDEX run_by_model ON run (model, scenario, at);
