//! The files of a data folder: the folder itself and its format, the creation of the database's
//! files, the log, and the verification of every file.

pub(super) mod creation;
pub(super) mod damage;
pub(super) mod disk;
pub(super) mod folder;
pub(super) mod group_log;
pub(super) mod verification;
