//! Repository on SQLite: one writer with group commit, snapshot readers
