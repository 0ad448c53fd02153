//! `--set` and `--get`: a value in a data directory, without a server. Where a server has the directory open, it is asked
//! instead.

use std::path::PathBuf;
use std::process::ExitCode;

use super::arguments::{LocalAction, Settings};
use super::format;
use super::terminal::{complain, print};
use crate::embedded::{Embedded, OpenError};
use crate::remote::{Client, Error, Options, Value};

/// Runs the mode: 1 when it could not be done.
pub fn run(settings: &Settings, action: &LocalAction) -> ExitCode {
    let directory = settings.directory.clone().unwrap_or_else(default_directory);
    let result = match Embedded::open(&directory) {
        Ok(mut data) => {
            let reply = data.command(&action.words()).map_err(|error| error.to_string());
            // The directory is given back before anything is said.
            let closed = data.close().map_err(|error| error.to_string());
            reply.and_then(|reply| closed.map(|()| reply))
        }
        Err(OpenError::Held { url: Some(url), .. }) => {
            through_server(settings, action, &url).map_err(|e| e.to_string())
        }
        Err(error) => Err(format!("Cannot open {}: {error}", directory.display())),
    };
    match result {
        Ok(reply) => {
            print(&format::reply(&reply, settings.format, false, &settings.delimiters));
            if matches!(reply, Value::Error(_)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

fn through_server(settings: &Settings, action: &LocalAction, url: &str) -> Result<Value, Error> {
    let place = Options::from_url(url)?;
    let mut client = Client::open(&Options { address: place.address, ..settings.options.clone() })?;
    client.command(&action.words())
}

/// Where values are kept when nothing else is said: `$RINGFORT_DIR`, or the user's folder for data.
fn default_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("RINGFORT_DIR") {
        return directory.into();
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| ".".into())).join(".local/share");
    data.unwrap_or_else(home).join("ringfort")
}
