//! In-memory ports, fixed clock, seeded entropy, port contract tests
