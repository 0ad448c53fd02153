//! What `ringfort` does besides serving, as one definition: parsing, help, man page and completions are made from it.
//!
//! Serving itself has redis-server's own syntax, which `config::command_line` reads; here it is described only.

use clap::{Arg, ArgAction, Command};

use crate::config::Effect;
use crate::config::PARAMETERS;
use crate::stats::server::RINGFORT_VERSION;

/// First words that are no configuration file.
pub const SUBCOMMANDS: [&str; 3] = ["service", "generate", "install-links"];

const ABOUT: &str = "A drop-in replacement for Redis that uses every core of the machine";

const LONG_ABOUT: &str = "\
Ringfort serves the Redis protocol. It takes the place of redis-server: the same clients, the same commands, the same
redis.conf, and the same command line. Every parameter of redis.conf is an option too, and wins over the file:

  ringfort /etc/redis/redis.conf --port 7000 --save \"\"

reads a file (or '-', standard input) and then the options.";

fn config_option() -> Arg {
    Arg::new("config").long("config").value_name("FILE").help("The server's configuration file")
}

/// The subcommands, for parsing.
pub fn definition() -> Command {
    Command::new("ringfort")
        .about(ABOUT)
        .long_about(LONG_ABOUT)
        .version(RINGFORT_VERSION)
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(service())
        .subcommand(generate())
        .subcommand(install_links())
}

/// The whole command line with the server's options, for man page and completions.
pub fn described() -> Command {
    let mut command = definition()
        .subcommand_required(false)
        .arg(Arg::new("file").value_name("CONFIG").help("Configuration file, or '-' for standard input"));
    for row in PARAMETERS.iter().filter(|row| !row.hidden) {
        let mut help = row.summary.to_string();
        if let Effect::Stored(why) = row.effect {
            help.push_str(&format!(" (Accepted without effect: {why}.)"));
        }
        let value = if row.kind.takes_several() { "VALUES" } else { "VALUE" };
        command =
            command.arg(Arg::new(row.name).long(row.name).value_name(value).help(help).help_heading("Parameters"));
    }
    command
}

fn service() -> Command {
    Command::new("service")
        .about("Run the server in the background")
        .long_about(
            "Starts, stops and shows a server in the background. Process id and log are kept where the configuration's \
             pidfile and logfile say, else as ringfort-PORT.pid and ringfort-PORT.log in its dir.",
        )
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("start").about("Start it and wait until it answers").arg(config_option()))
        .subcommand(Command::new("stop").about("Stop it cleanly and wait until it has ended").arg(config_option()))
        .subcommand(Command::new("restart").about("Stop it if it runs, and start it").arg(config_option()))
        .subcommand(
            Command::new("status")
                .about("Say whether it runs; the exit code is 3 when it does not")
                .arg(config_option()),
        )
        .subcommand(
            Command::new("logs")
                .about("Show the end of its log")
                .arg(config_option())
                .arg(
                    Arg::new("lines")
                        .short('n')
                        .long("lines")
                        .value_name("COUNT")
                        .default_value("50")
                        .value_parser(clap::value_parser!(usize))
                        .help("So many lines"),
                )
                .arg(
                    Arg::new("follow")
                        .short('f')
                        .long("follow")
                        .action(ArgAction::SetTrue)
                        .help("Go on with new lines"),
                ),
        )
}

fn generate() -> Command {
    let shells = ["bash", "zsh", "fish"];
    Command::new("generate")
        .about("Write files that go with the server")
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand(Command::new("config").about("A configuration file with every parameter, explained and commented out"))
        .subcommand(
            Command::new("man").about("Man pages").arg(
                Arg::new("directory")
                    .value_name("DIR")
                    .help("Write ringfort.1, ringfort-cli.1 and one page per subcommand there; without it, ringfort.1 goes to standard output"),
            ),
        )
        .subcommand(
            Command::new("completions")
                .about("Completions of ringfort and ringfort-cli for a shell")
                .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(shells).help("Which shell")),
        )
        .subcommand(
            Command::new("systemd-unit")
                .about("A unit that runs the server under systemd, with as few rights as it needs")
                .arg(config_option())
                .arg(Arg::new("user").long("user").value_name("NAME").default_value("ringfort").help("The user it runs as")),
        )
}

fn install_links() -> Command {
    Command::new("install-links")
        .about("Make links with the names of Redis' programs")
        .long_about(
            "Makes the links redis-server, redis-cli, redis-benchmark, redis-check-rdb and redis-check-aof, each to this \
             binary, which then behaves as the program it was called as.",
        )
        .arg(Arg::new("directory").value_name("DIR").required(true).help("Where the links go"))
        .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("Replace files that are there already"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        definition().debug_assert();
        described().debug_assert();
        for name in SUBCOMMANDS {
            assert!(definition().find_subcommand(name).is_some(), "{name}");
        }
    }
}
