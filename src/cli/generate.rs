//! `ringfort generate`: files that follow from the definitions — configuration, man pages, completions, systemd unit.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use clap_complete::{Shell, generate};

use super::terminal::{complain, print};
use super::{arguments, definition};

/// Writes what was asked for.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let result = match matches.subcommand() {
        Some(("config", _)) => {
            print(crate::config::rewrite::example_file().as_bytes());
            Ok(())
        }
        Some(("man", inner)) => match inner.get_one::<String>("directory") {
            Some(directory) => man_pages(Path::new(directory)),
            None => page(definition::described()).map(|text| print(&text)),
        },
        Some(("completions", inner)) => {
            print(&completions(inner.get_one::<String>("shell").map_or("bash", String::as_str)));
            Ok(())
        }
        Some(("systemd-unit", inner)) => {
            let config = inner.get_one::<String>("config").map(String::as_str);
            let user = inner.get_one::<String>("user").map_or("ringfort", String::as_str);
            systemd_unit(config, user).map(|text| print(text.as_bytes()))
        }
        _ => Err(io::Error::other("there is nothing else to generate")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("Cannot generate it: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(text)
}

fn man_pages(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let client = arguments::definition();
    std::fs::write(directory.join("ringfort-cli.1"), page(client)?)?;
    std::fs::write(directory.join("ringfort.1"), page(definition::described())?)?;
    for outer in definition::definition().get_subcommands() {
        let name: &'static str = Box::leak(format!("ringfort-{}", outer.get_name()).into_boxed_str());
        std::fs::write(directory.join(format!("{name}.1")), page(outer.clone().name(name))?)?;
    }
    Ok(())
}

fn completions(shell: &str) -> Vec<u8> {
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut text = Vec::new();
    generate(shell, &mut definition::described(), "ringfort", &mut text);
    generate(shell, &mut arguments::definition(), "ringfort-cli", &mut text);
    text
}

/// The rights are those of a program that listens, and writes to its own folder, and nothing else.
fn systemd_unit(config: Option<&str>, user: &str) -> io::Result<String> {
    let program = std::env::current_exe()?;
    let program = program.display();
    let config = std::path::absolute(config.unwrap_or("/etc/ringfort/ringfort.conf"))?;
    let config = config.display();
    Ok(format!(
        "\
[Unit]
Description=Ringfort, a server that speaks the Redis protocol
Documentation=man:ringfort(1)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={program} {config} --supervised systemd --daemonize no --logfile \"\" --dir /var/lib/ringfort
# A large data set takes its time to load and to save.
TimeoutStartSec=infinity
TimeoutStopSec=infinity
Restart=on-failure
LimitNOFILE=65536
# Rings shared with the kernel count as locked memory on old kernels.
LimitMEMLOCK=infinity
OOMScoreAdjust=-500

User={user}
Group={user}
UMask=0077
StateDirectory=ringfort
StateDirectoryMode=0750
RuntimeDirectory=ringfort
RuntimeDirectoryMode=0755

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @io-event io_uring_setup io_uring_enter io_uring_register
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_know_subcommands_parameters_and_options() {
        for shell in ["bash", "zsh", "fish"] {
            let text = String::from_utf8(completions(shell)).expect("they are text");
            for word in ["install-links", "maxmemory-policy", "latency-history", "ringfort-cli"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn pages_tell_what_there_is() {
        let text = String::from_utf8(page(definition::described()).expect("it is rendered")).expect("it is text");
        for word in ["maxmemory", "service", "Accepted without effect"] {
            assert!(text.contains(&word.replace('-', "\\-")), "{word}");
        }
    }
}
