//! Values of parameters: from words to a typed value and back to the text CONFIG GET prints.
//!
//! Invariants: a value always is of the kind of its row and within its bounds. Reading is total: any words in, a value or
//! a refusal out. Only `store` creates values; `check` and `rewrite` look at them.

use std::borrow::Cow;

use super::numbers;
use super::row::{Kind, Parameter, Unit};
use super::special;
use crate::stdx::memory_units::{MemoryOrPercent, parse_memory, parse_memory_or_percent};
use crate::stdx::number::parse_i64;

/// One value, typed. Small; lists are behind a box.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    YesNo(bool),
    /// A percentage is negative; of an unsigned parameter these are the bits.
    Number(i64),
    /// The number of a word, or several or-ed together.
    Word(i32),
    /// `None` is "not set".
    Text(Option<Box<[u8]>>),
    SavePoints(Box<[SavePoint]>),
    BufferLimits(Box<[BufferLimit; 3]>),
    OomScores([i32; 3]),
    /// Or-ed constants of [`super::events`].
    Events(u32),
    Addresses(Box<[Box<[u8]>]>),
    Master(Option<Box<Master>>),
    Percentiles(Box<[f64]>),
}

/// Snapshot when `seconds` have passed and at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: i64,
    pub changes: i64,
}

/// Limits on the output buffer of one class of clients; 0 sets no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// Closed at once beyond this.
    pub hard_bytes: u64,
    /// Closed when beyond this for `soft_seconds`.
    pub soft_bytes: u64,
    pub soft_seconds: i64,
}

/// Where the master is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    pub host: Box<[u8]>,
    pub port: u16,
}

/// Why a value was refused: Redis' text, without the name of the parameter.
pub type Refusal = Cow<'static, str>;

/// Text for a wrong number of words.
pub const WRONG_NUMBER: &str = "wrong number of arguments";

/// Reads the value of `row` from the words given; `current` is the value so far, to which some kinds add.
pub fn read(row: &Parameter, words: &[&[u8]], current: &Value) -> Result<Value, Refusal> {
    let value = match row.kind {
        Kind::YesNo => Value::YesNo(yes_no(single(words)?)?),
        Kind::Integer { .. } => Value::Number(number(&row.kind, single(words)?)?),
        Kind::Choice(choices) => Value::Word(choose(choices, &[single(words)?])?),
        Kind::Choices(choices) => Value::Word(choose(choices, words)?),
        Kind::Text { empty_is_none } => {
            let text = single(words)?;
            Value::Text((!empty_is_none || !text.is_empty()).then(|| text.into()))
        }
        Kind::Directory => special::directory(single(words)?, current)?,
        Kind::SavePoints => special::save_points(words)?,
        Kind::BufferLimits => special::buffer_limits(words, current)?,
        Kind::OomScores => special::oom_scores(words)?,
        Kind::Events => special::events(single(words)?)?,
        Kind::Addresses => special::addresses(words)?,
        Kind::Master => special::master(words)?,
        Kind::Percentiles => special::percentiles(words)?,
    };
    (row.check)(&value)?;
    Ok(match (row.clamp, value) {
        (Some((least, most)), Value::Number(number)) => Value::Number(number.clamp(least, most)),
        (_, value) => value,
    })
}

fn single<'a>(words: &[&'a [u8]]) -> Result<&'a [u8], Refusal> {
    match words {
        [word] => Ok(word),
        _ => Err(WRONG_NUMBER.into()),
    }
}

fn yes_no(word: &[u8]) -> Result<bool, Refusal> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err("argument must be 'yes' or 'no'".into())
    }
}

fn choose(choices: &[(&str, i32)], words: &[&[u8]]) -> Result<i32, Refusal> {
    let refusal = || {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Refusal::from(format!(
            "argument(s) must be one of the following: {}",
            names.join(", ")
        ))
    };
    if words.is_empty() {
        return Err(refusal());
    }
    words.iter().try_fold(0, |chosen, word| {
        let known = choices
            .iter()
            .find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
        known.map(|(_, number)| chosen | number).ok_or_else(refusal)
    })
}

fn number(kind: &Kind, word: &[u8]) -> Result<i64, Refusal> {
    let Kind::Integer {
        least,
        most,
        unit,
        unsigned,
    } = *kind
    else {
        return Err(WRONG_NUMBER.into());
    };
    let number = read_number(unit, word)?;
    if unsigned {
        let (least, most) = (least as u64, most as u64);
        if (least..=most).contains(&(number as u64)) {
            return Ok(number);
        }
        return Err(match unit {
            Unit::Octal => format!("argument must be between {least:o} and {most:o} inclusive"),
            _ => format!("argument must be between {least} and {most} inclusive"),
        }
        .into());
    }
    if unit == Unit::MemoryOrPercent && number < 0 {
        if number < least {
            let percent = least.unsigned_abs();
            return Err(format!("percentage argument must be less or equal to {percent}").into());
        }
    } else if !(least..=most).contains(&number) {
        return Err(format!("argument must be between {least} and {most} inclusive").into());
    }
    Ok(number)
}

fn read_number(unit: Unit, word: &[u8]) -> Result<i64, Refusal> {
    // Sizes are stored in the bits of an i64, percentages as negative numbers.
    match unit {
        Unit::Plain => parse_i64(word).ok_or("argument couldn't be parsed into an integer"),
        Unit::Memory => parse_memory(word).map(|bytes| bytes as i64).ok_or("argument must be a memory value"),
        Unit::MemoryOrPercent => match parse_memory_or_percent(word) {
            Some(MemoryOrPercent::Bytes(bytes)) => Ok(bytes as i64),
            Some(MemoryOrPercent::Percent(percent)) => Ok(-(percent as i64)),
            None => Err("argument must be a memory or percent value"),
        },
        Unit::Octal => numbers::octal(word).ok_or("argument couldn't be parsed as an octal number"),
    }
    .map_err(Refusal::from)
}

/// The text CONFIG GET prints.
pub fn print(kind: &Kind, value: &Value) -> Vec<u8> {
    match value {
        Value::YesNo(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Number(number) => print_number(kind, *number).into_bytes(),
        Value::Word(chosen) => print_words(kind, *chosen).into_bytes(),
        Value::Text(text) => text.as_deref().unwrap_or_default().to_vec(),
        Value::SavePoints(points) => special::print_save_points(points),
        Value::BufferLimits(limits) => special::print_buffer_limits(limits),
        Value::OomScores([master, replica, child]) => {
            format!("{master} {replica} {child}").into_bytes()
        }
        Value::Events(events) => super::events::print(*events).into_bytes(),
        Value::Addresses(addresses) => addresses.join(&b' '),
        Value::Master(None) => Vec::new(),
        Value::Master(Some(master)) => {
            [&master.host, format!(" {}", master.port).as_bytes()].concat()
        }
        Value::Percentiles(percentiles) => special::print_percentiles(percentiles),
    }
}

fn print_number(kind: &Kind, number: i64) -> String {
    match kind {
        Kind::Integer {
            unit: Unit::MemoryOrPercent,
            ..
        } if number < 0 => format!("{}%", number.unsigned_abs()),
        Kind::Integer {
            unit: Unit::Octal, ..
        } => format!("{number:o}"),
        Kind::Integer { unsigned: true, .. } => (number as u64).to_string(),
        _ => number.to_string(),
    }
}

/// The words of a number: the one that means exactly it, otherwise all whose bits it has.
pub fn print_words(kind: &Kind, chosen: i32) -> String {
    let (Kind::Choice(choices) | Kind::Choices(choices)) = kind else {
        return String::new();
    };
    if let Some((name, _)) = choices.iter().find(|(_, number)| *number == chosen) {
        return (*name).to_owned();
    }
    let mut rest = chosen;
    let mut names = Vec::new();
    for (name, number) in choices.iter() {
        if *number != 0 && rest & number == *number {
            names.push(*name);
            rest &= !number;
        }
    }
    names.join(" ")
}
