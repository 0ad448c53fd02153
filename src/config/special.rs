//! The parameters that are lists or records: how each is read and printed. Formats and error texts are Redis 7.4's.
//!
//! Private to `config`; `value` is the only caller.

use std::path::Path;

use super::numbers;
use super::value::{BufferLimit, Master, Refusal, SavePoint, Value, WRONG_NUMBER};
use crate::stdx::limits::BIND_ADDRESSES_MAX;
use crate::stdx::memory_units::parse_memory;
use crate::stdx::number;

/// Classes of clients with a limit of their own, in the order in which they are printed, and as CONFIG GET names them.
pub const BUFFER_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// Pairs of seconds (at least 1) and changes (at least 0); no words, or one empty word, is the empty list.
pub fn save_points(words: &[&[u8]]) -> Result<Value, Refusal> {
    let words = if *words == [b"".as_slice()] {
        &[]
    } else {
        words
    };
    let (pairs, rest) = words.as_chunks::<2>();
    let points: Option<Vec<SavePoint>> = pairs
        .iter()
        .map(|[seconds, changes]| {
            let seconds = numbers::lenient(seconds).filter(|seconds| *seconds >= 1)?;
            let changes = numbers::lenient(changes).filter(|changes| *changes >= 0)?;
            Some(SavePoint { seconds, changes })
        })
        .collect();
    match points {
        Some(points) if rest.is_empty() => Ok(Value::SavePoints(points.into())),
        _ => Err("Invalid save parameters".into()),
    }
}

pub fn print_save_points(points: &[SavePoint]) -> Vec<u8> {
    let texts: Vec<String> = points
        .iter()
        .map(|point| format!("{} {}", point.seconds, point.changes))
        .collect();
    texts.join(" ").into_bytes()
}

/// Groups of class, hard limit, soft limit, seconds. Classes that are not named keep their current limits.
pub fn buffer_limits(words: &[&[u8]], current: &Value) -> Result<Value, Refusal> {
    let (groups, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = match current {
        Value::BufferLimits(limits) => limits.clone(),
        _ => Box::default(),
    };
    for [class, hard, soft, seconds] in groups {
        let Some(class) = buffer_class(class) else {
            return Err("Invalid client class specified in buffer limit configuration.".into());
        };
        let seconds = numbers::lenient(seconds).filter(|seconds| *seconds >= 0);
        let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
            (parse_memory(hard), parse_memory(soft), seconds)
        else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.".into(),
            );
        };
        limits[class] = BufferLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        };
    }
    Ok(Value::BufferLimits(limits))
}

fn buffer_class(word: &[u8]) -> Option<usize> {
    if word.eq_ignore_ascii_case(b"replica") {
        return Some(1);
    }
    BUFFER_CLASSES
        .iter()
        .position(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

pub fn print_buffer_limits(limits: &[BufferLimit; 3]) -> Vec<u8> {
    let texts: Vec<String> = BUFFER_CLASSES
        .iter()
        .zip(limits)
        .map(|(class, limit)| {
            let BufferLimit {
                hard_bytes,
                soft_bytes,
                soft_seconds,
            } = limit;
            format!("{class} {hard_bytes} {soft_bytes} {soft_seconds}")
        })
        .collect();
    texts.join(" ").into_bytes()
}

/// Exactly three scores.
pub fn oom_scores(words: &[&[u8]]) -> Result<Value, Refusal> {
    let [master, replica, child] = words else {
        return Err(WRONG_NUMBER.into());
    };
    let score = |word: &[u8]| numbers::lenient(word).filter(|score| (-2000..=2000).contains(score));
    match (score(master), score(replica), score(child)) {
        (Some(master), Some(replica), Some(child)) => Ok(Value::OomScores([
            master as i32,
            replica as i32,
            child as i32,
        ])),
        _ => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into()),
    }
}

pub fn events(word: &[u8]) -> Result<Value, Refusal> {
    super::events::read(word)
        .map(Value::Events)
        .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
}

/// Up to sixteen addresses; one empty word is none.
pub fn addresses(words: &[&[u8]]) -> Result<Value, Refusal> {
    if words.len() > BIND_ADDRESSES_MAX {
        return Err("Too many bind addresses specified.".into());
    }
    let words = if *words == [b"".as_slice()] {
        &[]
    } else {
        words
    };
    Ok(Value::Addresses(
        words.iter().map(|word| Box::from(*word)).collect(),
    ))
}

/// `host port`, or `no one`.
pub fn master(words: &[&[u8]]) -> Result<Value, Refusal> {
    let [host, port] = words else {
        return Err(WRONG_NUMBER.into());
    };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::Master(None));
    }
    match numbers::lenient(port).and_then(|port| u16::try_from(port).ok()) {
        Some(port) => Ok(Value::Master(Some(Box::new(Master {
            host: Box::from(*host),
            port,
        })))),
        None => Err("Invalid master port".into()),
    }
}

/// Percentages; one empty word is none.
pub fn percentiles(words: &[&[u8]]) -> Result<Value, Refusal> {
    let words = if *words == [b"".as_slice()] {
        &[]
    } else {
        words
    };
    let mut list = Vec::with_capacity(words.len());
    for word in words {
        let percentile =
            number::parse_double(word).ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
        list.push(percentile);
    }
    Ok(Value::Percentiles(list.into()))
}

/// Six decimals, without the zeros at the end.
pub fn print_percentiles(percentiles: &[f64]) -> Vec<u8> {
    let texts: Vec<String> = percentiles
        .iter()
        .map(|percentile| {
            let text = format!("{percentile:.6}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        })
        .collect();
    texts.join(" ").into_bytes()
}

/// A folder, relative to the current one. It must exist and be open to us; the refusal is the system's own text.
///
/// The process does not change into it here: who applies the configuration does.
pub fn directory(word: &[u8], current: &Value) -> Result<Value, Refusal> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let path = super::store::text_path(current).join(Path::new(std::ffi::OsStr::from_bytes(word)));
    let found = std::fs::canonicalize(&path).and_then(|path| {
        // Listing the entry "." asks for the right to enter, as chdir would.
        std::fs::metadata(path.join("."))?;
        Ok(path)
    });
    match found {
        Ok(path) if !word.is_empty() => {
            Ok(Value::Text(Some(path.into_os_string().into_vec().into())))
        }
        Ok(_) => Err("No such file or directory".into()),
        Err(error) => Err(system_text(&error).into()),
    }
}

/// The system's text for an error, as `strerror` gives it.
pub fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
