//! The `report` command.

fn main() {}
