//! The commands, one file for each.

mod absent;
mod add;
#[cfg(feature = "server")]
mod admin;
mod batch;
mod below;
mod claim;
mod claims;
pub(crate) mod complete;
mod completions;
mod delete;
mod demo;
mod duplicate;
mod exec;
mod export;
mod file_name;
mod folder;
mod gather;
mod get;
mod import;
mod input;
mod inspect;
#[cfg(feature = "server")]
mod issue;
mod list;
mod load;
mod lock;
mod login;
mod man;
mod missing;
mod object;
mod parallel;
mod reference;
#[cfg(feature = "server")]
mod serve;
mod set;
mod settings;
mod siblings;
mod swapped;
mod table;
mod time;
mod token_create;
mod token_list;
mod token_revoke;
mod tree;
mod usage;
mod utf16;
mod value_limit;
mod version;
mod wait;
mod watch;
mod whoami;

use duplicate::Original;

use crate::args::kv::KvCommand;
use crate::args::token::TokenCommand;
use crate::args::{Arguments, Command, Version, help};
use crate::config::{self, Connection, Environment};
use crate::failure::Failure;
use crate::output::Output;

/// Does what was typed.
pub(crate) fn run(arguments: Arguments, output: &mut Output) -> Result<(), Failure> {
    let Arguments {
        connection,
        version,
        json,
        command,
    } = arguments;
    if version {
        return version::run(&Version { json }, output);
    }
    let Some(command) = command else {
        output.help(&help::short(&[]))?;
        return Ok(());
    };
    match command {
        Command::Kv(kv) => run_kv(&kv.command, &connection, output),
        Command::Whoami(options) => whoami::run(&options, &config::client(&connection)?, output),
        Command::Login(options) => login::run(&options, &connection, output),
        Command::Logout => login::end(&connection, output),
        Command::Config(options) => settings::run(&options, &connection, output),
        Command::Token(token) => match token.command {
            TokenCommand::Inspect(options) => inspect::run(&options, &connection, output),
            TokenCommand::Create(options) => token_create::run(options, &connection, output),
            TokenCommand::List(options) => {
                token_list::run(&options, &config::client(&connection)?, output)
            }
            TokenCommand::Revoke(options) => token_revoke::run(&options, &connection, output),
        },
        Command::Demo(options) => demo::run(&options, &config::client(&connection)?, output),
        Command::Exec(options) => exec::run(options, &connection),
        #[cfg(feature = "server")]
        Command::Serve(settings) => serve::run(*settings, output),
        #[cfg(feature = "server")]
        Command::Admin(admin) => admin::run(&admin.command, output),
        Command::Version(options) => version::run(&options, output),
        Command::Completions { shell } => completions::run(shell, output),
        Command::Man(options) => man::run(&options, output),
    }
}

fn run_kv(
    command: &KvCommand,
    connection: &Connection,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = &config::client(connection)?;
    let environment = || Environment::of(connection);
    match command {
        KvCommand::List(options) => list::run(options, client, output),
        KvCommand::Get(options) => get::run(options, client, output),
        KvCommand::Set(options) => set::run(options, client, output),
        KvCommand::Delete(options) => delete::run(options, client, output),
        KvCommand::Cp(options) => duplicate::run(options, Original::Stays, client, output),
        KvCommand::Mv(options) => duplicate::run(options, Original::Goes, client, output),
        KvCommand::Add(options) => add::run(options, client, output),
        KvCommand::Batch(options) => batch::run(options, client, output),
        KvCommand::Tree(options) => tree::run(options, client, output),
        KvCommand::Load(options) => load::run(options, client, output),
        KvCommand::Gather(options) => gather::run(options, client, output),
        KvCommand::Missing(options) => missing::run(options, client, output),
        KvCommand::Export(options) => export::run(options, client, output),
        KvCommand::Import(options) => import::run(options, client, output),
        KvCommand::Usage(options) => usage::run(options, client, output),
        KvCommand::Wait(options) => wait::run(options, client, output),
        KvCommand::Watch(options) => watch::run(options, client, output),
        KvCommand::Lock(options) => lock::run(options, client, environment()?, output),
        KvCommand::Claim(options) => claim::run(options, client, environment()?, output),
        KvCommand::Claims(options) => claims::run(options, client, output),
    }
}

/// Has files and folders made from now on for this process's user alone. Some are made by libraries, with the modes
/// that the umask of whoever started the process leaves.
#[cfg(feature = "server")]
fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// `1 key`, `2 keys`.
fn keys(count: u64) -> String {
    counted(count, "key")
}

/// `1 file`, `2 files`.
fn files(count: u64) -> String {
    counted(count, "file")
}

/// The verb after [`counted`].
fn was_or_were(count: u64) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
