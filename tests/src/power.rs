//! What a power cut can do to a real run of the engine.
//!
//! ```text
//! recorded-load (under strace) ─▶ trace ─▶ history ─▶ disk ─▶ folders as cuts leave them ─▶ check
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `load` | what the writers do, known beforehand from a seed |
//! | `trace` | system calls as strace writes them down |
//! | `history` | the same as changes of files and folders |
//! | `disk` | which of these changes are bound to survive, and what may become of the others |
//! | `check` | whether a folder holds everything that was acknowledged, and nothing by halves |

pub mod check;
pub mod disk;
pub mod history;
pub mod load;
pub mod trace;
