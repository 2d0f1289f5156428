-- Versions before did not wipe what SQLite left of rows that it moved. Whoever
-- opens a file that was not left in order looks at all of its pages.
UPDATE state SET clean = 0;
