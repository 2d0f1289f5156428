//! What every implementation of a port has to do, as tests.
//!
//! A fact is a public function that panics where the fact does not hold. The
//! macros make one `#[test]` of each: give them an expression that makes a
//! fresh subject. The README shows how.
