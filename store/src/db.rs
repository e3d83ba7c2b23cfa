//! Not written yet.
#[derive(Debug)]
/// The database.
pub struct Db;
