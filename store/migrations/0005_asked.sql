-- Schema 5: what a run was asked for, so that it can be asked again and is compared with its like alone,
-- and what else was true of program and machine. JSON where nothing is decided by it.

ALTER TABLE session ADD COLUMN asked TEXT NOT NULL DEFAULT '{}';   -- JSON object: seed, suite file, server
ALTER TABLE session ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';   -- JSON object of texts: features, driver, ...
ALTER TABLE session ADD COLUMN state TEXT NOT NULL DEFAULT '{}';   -- JSON object of texts: heat, swap, ... at the start
ALTER TABLE session ADD COLUMN end_state TEXT;                     -- the same at the end; NULL before it
ALTER TABLE run ADD COLUMN version INTEGER;                        -- of the scenario; NULL where not known
ALTER TABLE run ADD COLUMN argument TEXT;                          -- what --model named; NULL where not known
