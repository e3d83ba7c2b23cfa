-- Schema 4: a file that the program of that time wrote, as SQL. Never edited.
PRAGMA application_id = 1986817378;
PRAGMA user_version = 4;
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
CREATE TABLE guide (
  id          TEXT PRIMARY KEY,             -- derived from the content
  title       TEXT NOT NULL,
  date        TEXT NOT NULL,                -- YYYY-MM-DD
  updated     TEXT NOT NULL,                -- YYYY-MM-DD HH:MM:SS, local time
  environment TEXT NOT NULL                 -- where it was measured
) STRICT;
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
CREATE TABLE noise (
  machine  TEXT NOT NULL REFERENCES machine (key),
  at       TEXT NOT NULL,                   -- when it was measured
  metric   TEXT NOT NULL,                   -- stable name
  floor    REAL NOT NULL,                   -- relative change below which nothing is claimed
  pairs    INTEGER NOT NULL,                -- A/A pairs it rests on
  harness  TEXT NOT NULL,                   -- version of the program
  PRIMARY KEY (machine, at, metric)
) STRICT, WITHOUT ROWID;
CREATE TABLE acknowledgement (
  series   TEXT NOT NULL,                   -- key of the series
  run      TEXT NOT NULL,                   -- first run at the new level; it may have been pruned since
  at       TEXT NOT NULL,                   -- when it was accepted
  reason   TEXT NOT NULL,                   -- why, one line
  PRIMARY KEY (series, run)
) STRICT, WITHOUT ROWID;
CREATE TABLE sheet (
  number INTEGER PRIMARY KEY,               -- of this file alone
  id     TEXT NOT NULL UNIQUE               -- derived from the answers
) STRICT;
CREATE TABLE "run" (
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
CREATE TABLE "sample" (
  run      INTEGER NOT NULL REFERENCES run (number),
  metric   TEXT NOT NULL,                   -- stable name
  position INTEGER NOT NULL,                -- order within the run, from 0
  unit     TEXT NOT NULL,                   -- s, byte, tok/s, byte/s, ratio, count or logit
  trials   INTEGER NOT NULL,                -- number of values
  middle   REAL,                            -- median of epoch medians; mean of scores; NULL without a value
  epochs   BLOB NOT NULL,                   -- epochs of trials, packed: README.md has the format
  PRIMARY KEY (run, metric)
) STRICT, WITHOUT ROWID;
CREATE TABLE "void" (
  run      INTEGER NOT NULL REFERENCES run (number),
  position INTEGER NOT NULL,                -- order within the run, from 0
  metric   TEXT,                            -- the refused metric; NULL for the whole cell
  count    INTEGER NOT NULL,                -- values left out
  reason   TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE "answer" (
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
CREATE TABLE "remark" (
  run      INTEGER NOT NULL REFERENCES run (number),
  position INTEGER NOT NULL,                -- order within the run, from 0
  kind     TEXT NOT NULL CHECK (kind IN ('advisory', 'finding')),
  count    INTEGER NOT NULL,                -- trials it is about; 0 for the whole run
  text     TEXT NOT NULL,                   -- one line
  PRIMARY KEY (run, position)
) STRICT, WITHOUT ROWID;
INSERT INTO machine VALUES ('22d774f2a704', 'Apple M3', 4, 4, 16, '["Apple M3, 10 cores"]', 'aarch64', 'macOS 15');
INSERT INTO session VALUES ('01980000-0000-7000-8000-000000000001', '2026-05-28T20:43:20.123456789Z', '2026-05-28T20:51:40.123456789Z', 'plan', 'embedded', 'quick', '22d774f2a704', '0123456789abcdef0123456789abcdef01234567', 'main', 0, '{"candle-core":"0.11.1"}', '0.1.0', 'rustc 1.95.0', '15.5 (24F74)', 'ac', 1, 4);
INSERT INTO session VALUES ('01980000-0000-7000-8000-000000000002', '2026-05-28T21:00:00.123456789Z', NULL, 'plan', 'embedded', 'quick', '22d774f2a704', '0123456789abcdef0123456789abcdef01234567', 'main', 0, '{"candle-core":"0.11.1"}', '0.1.0', 'rustc 1.95.0', '15.5 (24F74)', 'ac', 1, 4);
INSERT INTO guide VALUES ('f2cae3fc322b23b7666909c6eff60951', 'VLM Model Loading Reference Guide', '2025-07-22', '2025-07-22 13:01:28', 'MacBook Air M3 (16GB RAM)');
INSERT INTO guide_row VALUES ('f2cae3fc322b23b7666909c6eff60951', 0, 'SmolVLM2-500M-Video-Instruct', 'mlx-community/SmolVLM2-500M-Video-Instruct-mlx', 1, 1, 6.2, 1.02, 0.06, 'Best Overall');
INSERT INTO guide_row VALUES ('f2cae3fc322b23b7666909c6eff60951', 1, 'SmolVLM-500M-Instruct', 'HuggingFaceTB/SmolVLM-500M-Instruct', 1, 1, 3.4, 4.07, 1.95, 'Best Context');
INSERT INTO guide_row VALUES ('f2cae3fc322b23b7666909c6eff60951', 2, 'Moondream2', 'vikhyatk/moondream2', 1, 0, 5.89, 5.34, -1.15, 'Vision-Only');
INSERT INTO guide_row VALUES ('f2cae3fc322b23b7666909c6eff60951', 3, 'LLaVA-v1.6-Mistral-7B-MLX', 'mlx-community/llava-v1.6-mistral-7b-4bit', 1, 1, 6.7, 3.05, -0.4, 'State Issues');
INSERT INTO guide_row VALUES ('f2cae3fc322b23b7666909c6eff60951', 4, 'Phi-3.5-Vision-Instruct', 'mlx-community/Phi-3.5-vision-instruct-4bit', 1, 1, 10.1, 1.52, 0.28, 'Balanced');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'issue', 0, 'LLaVA-MLX', 'Model state may become corrupted after multiple inferences; requires reloading.');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'issue', 1, 'Moondream2', 'Cannot process text-only prompts; vision-only model.');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'issue', 2, 'All models', 'Context retention remains limited for multi-turn tasks.');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'recommendation', 0, 'Best Overall', 'SmolVLM2-500M-Video-Instruct (fast, accurate, MLX optimized)');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'recommendation', 1, 'Best Context', 'SmolVLM-500M-Instruct (best context retention)');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'recommendation', 2, 'Best Vision-Only', 'Moondream2 (vision tasks, no text-only)');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'recommendation', 3, 'Balanced', 'Phi-3.5-Vision-Instruct (good all-around, moderate speed)');
INSERT INTO guide_note VALUES ('f2cae3fc322b23b7666909c6eff60951', 'recommendation', 4, 'Avoid for Production', 'LLaVA-v1.6-Mistral-7B-MLX (state issues, incomplete context)');
INSERT INTO historic VALUES (1, '6e13a41a52509981103b05f106918a34', 'debug_backend', '2025-06-28', '2025-06-28 22:59:25', 'none (backend offline)', NULL, NULL, NULL, NULL, NULL, NULL, 'no_inference', 'no_inference', '["END_TO_END_HTTP_BACKEND_TIME"]', '{"also_in":[],"aux_checks":[{"success":false,"test":"system_detection"}],"avg_basis":"computed: mean of successful HTTP image calls","avg_inference_s":null,"date":"2025-06-28","failed":0,"kind":"debug_backend","load_time_s":null,"memory_diff_gb":null,"model":"none (backend offline)","model_id":null,"model_name_reported":"none (backend offline)","per_item":[],"pure_text":null,"source_blob":"29bf85a0619d344ac26c2ee40ba50c4a5566bb61","source_commit":"5587ddcff449147f3abeb0d209e9c359adc5bf9c","source_path":"src/debug/test_results_20250628_225925.json","status":"no_inference","status_reaudited":"no_inference","successful":0,"timestamp":"2025-06-28 22:59:25","validity_flags":["END_TO_END_HTTP_BACKEND_TIME"],"vision":null}');
INSERT INTO historic VALUES (2, 'afdaf0f0a7782cc0145948e9fe5a0c65', 'debug_backend', '2025-06-28', '2025-06-28 23:00:02', 'none (backend offline)', NULL, NULL, NULL, NULL, NULL, NULL, 'no_inference', 'no_inference', '["END_TO_END_HTTP_BACKEND_TIME"]', '{"also_in":[],"aux_checks":[{"success":false,"test":"system_detection"}],"avg_basis":"computed: mean of successful HTTP image calls","avg_inference_s":null,"date":"2025-06-28","failed":0,"kind":"debug_backend","load_time_s":null,"memory_diff_gb":null,"model":"none (backend offline)","model_id":null,"model_name_reported":"none (backend offline)","per_item":[],"pure_text":null,"source_blob":"ab493afad6c66b871017941ba79ba691bec8e44d","source_commit":"5587ddcff449147f3abeb0d209e9c359adc5bf9c","source_path":"src/debug/test_results_20250628_230002.json","status":"no_inference","status_reaudited":"no_inference","successful":0,"timestamp":"2025-06-28 23:00:02","validity_flags":["END_TO_END_HTTP_BACKEND_TIME"],"vision":null}');
INSERT INTO historic VALUES (3, '775b6a561a11d9ec49ace567fbecebf5', 'debug_backend', '2025-06-28', '2025-06-28 23:00:33', 'none (backend offline)', NULL, NULL, NULL, NULL, NULL, NULL, 'no_inference', 'no_inference', '["END_TO_END_HTTP_BACKEND_TIME"]', '{"also_in":[],"aux_checks":[{"success":false,"test":"system_detection"}],"avg_basis":"computed: mean of successful HTTP image calls","avg_inference_s":null,"date":"2025-06-28","failed":0,"kind":"debug_backend","load_time_s":null,"memory_diff_gb":null,"model":"none (backend offline)","model_id":null,"model_name_reported":"none (backend offline)","per_item":[],"pure_text":null,"source_blob":"6ad3ed4b63b6fac666363281b188e5cacae44260","source_commit":"5587ddcff449147f3abeb0d209e9c359adc5bf9c","source_path":"src/debug/test_results_20250628_230033.json","status":"no_inference","status_reaudited":"no_inference","successful":0,"timestamp":"2025-06-28 23:00:33","validity_flags":["END_TO_END_HTTP_BACKEND_TIME"],"vision":null}');
INSERT INTO noise VALUES ('22d774f2a704', '2026-05-28T20:26:49.123456789Z', 'ttft', 0.02, 20, '0.1.0');
INSERT INTO acknowledgement VALUES ('0123456789ab', '01980000-0000-7000-8000-000100000001', '2026-05-28T20:26:50.123456789Z', 'new kernel');
INSERT INTO sheet VALUES (1, 'b0e9b89a1e1fbc2fb9d0b9644edb1e76');
INSERT INTO run VALUES (1, '01980000-0000-7000-8000-000100000001', '01980000-0000-7000-8000-000000000001', 1, '2026-05-28T20:43:21.123456789Z', 1.5, 'tiny, "quoted"', 'warm', 'candle', 'cpu', 'f32 (bf16 weights)', 'embedded', 'abc', 'measured', NULL, NULL);
INSERT INTO run VALUES (2, '01980000-0000-7000-8000-000200000001', '01980000-0000-7000-8000-000000000001', NULL, '2026-05-28T20:43:22.123456789Z', 1.5, 'tiny, "quoted"', 'load', 'candle', 'cpu', 'f32 (bf16 weights)', 'embedded', 'abc', 'failed', 'crash', 'signal 9');
INSERT INTO run VALUES (3, '01980000-0000-7000-8000-000100000002', '01980000-0000-7000-8000-000000000002', 1, '2026-05-28T21:00:01.123456789Z', 1.5, 'tiny, "quoted"', 'warm', 'candle', 'cpu', 'f32 (bf16 weights)', 'embedded', 'abc', 'measured', NULL, NULL);
INSERT INTO sample VALUES (1, 'inference', 1, 's', 1, 0.25, x'0202013200');
INSERT INTO sample VALUES (1, 'ttft', 0, 's', 3, 0.26666666666666666, x'ff02029a9999999999b93f333333333333d33f01555555555555d53f');
INSERT INTO sample VALUES (3, 'inference', 1, 's', 1, 0.25, x'0202013200');
INSERT INTO sample VALUES (3, 'ttft', 0, 's', 3, 0.26666666666666666, x'ff02029a9999999999b93f333333333333d33f01555555555555d53f');
INSERT INTO void VALUES (1, 0, 'ttft', 2, 'machine slept, "lid" closed');
INSERT INTO void VALUES (1, 1, NULL, 0, 'whole cell');
INSERT INTO void VALUES (3, 0, 'ttft', 2, 'machine slept, "lid" closed');
INSERT INTO void VALUES (3, 1, NULL, 0, 'whole cell');
INSERT INTO answer VALUES (1, 0, 'v1_color', 'right', CAST(x'5768617420636f6c6f75723f0a' AS TEXT), CAST(x'72656400201b5b33316defbfbd20e29c85' AS TEXT), 'red', 1);
INSERT INTO answer VALUES (1, 1, 'v1_color', 'right', CAST(x'5768617420636f6c6f75723f0a' AS TEXT), CAST(x'72656400201b5b33316defbfbd20e29c85' AS TEXT), NULL, NULL);
INSERT INTO remark VALUES (1, 0, 'advisory', 3, 'background load 31 %');
INSERT INTO remark VALUES (1, 1, 'finding', 0, 'fails: [a, b]; passes: [a], [b]');
INSERT INTO remark VALUES (3, 0, 'advisory', 3, 'background load 31 %');
INSERT INTO remark VALUES (3, 1, 'finding', 0, 'fails: [a, b]; passes: [a], [b]');
CREATE INDEX session_by_machine ON session (machine, at);
CREATE INDEX session_by_plan ON session (plan, machine, at);
CREATE INDEX guide_by_date ON guide (date);
CREATE INDEX historic_by_model ON historic (model, date);
CREATE INDEX run_by_session ON run (session);
CREATE INDEX run_by_sheet ON run (sheet);
CREATE INDEX run_by_model ON run (model, scenario, at);
