//! How many rows a bare loop on SQLite inserts, beside this crate's own writer.

fn main() {}
