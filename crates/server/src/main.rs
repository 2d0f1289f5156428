//! The donjon server binary.
fn main() {}
