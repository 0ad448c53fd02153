//! `math.random` and `math.randomseed`: the generator of 48 bits that Redis has put in their place, so that a seed gives the
//! same numbers everywhere. Its state lives as long as the interpreter; called by the scripts of that interpreter only.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Error, Lua, Result, Table, Value, Variadic};

/// The state before anyone gave a seed.
const STATE_FIRST: u64 = 0x1234_ABCD_330E;
const FACTOR: u64 = 0x5_DEEC_E66D;
const SUMMAND: u64 = 0xB;
const STATE_MASK: u64 = (1 << 48) - 1;
/// What a seed leaves in the lowest 16 bits.
const SEED_LOW: u64 = 0x330E;
/// The largest number the generator gives.
const NUMBER_MAX: u64 = (1 << 31) - 1;

fn next(state: &Cell<u64>) -> u64 {
    state.set(state.get().wrapping_mul(FACTOR).wrapping_add(SUMMAND) & STATE_MASK);
    state.get() >> 17
}

/// An argument as a C int.
fn integer(lua: &Lua, values: &[Value], index: usize, name: &str) -> Result<f64> {
    let value = values.get(index).cloned().unwrap_or(Value::Nil);
    let kind = if index < values.len() { super::native::type_name(&value) } else { "no value" };
    match lua.coerce_number(value)? {
        Some(number) => Ok(f64::from(super::native::truncate(number) as i32)),
        None => {
            let number = index + 1;
            Err(Error::runtime(format!("bad argument #{number} to '{name}' (number expected, got {kind})")))
        }
    }
}

fn random(state: &Cell<u64>, lua: &Lua, values: &[Value]) -> Result<f64> {
    const EMPTY: [&str; 2] =
        ["bad argument #1 to 'random' (interval is empty)", "bad argument #2 to 'random' (interval is empty)"];
    let fraction = (next(state) % NUMBER_MAX) as f64 / NUMBER_MAX as f64;
    match values.len() {
        0 => Ok(fraction),
        1 => {
            let upper = integer(lua, values, 0, "random")?;
            if upper < 1.0 { Err(Error::runtime(EMPTY[0])) } else { Ok((fraction * upper).floor() + 1.0) }
        }
        2 => {
            let (lower, upper) = (integer(lua, values, 0, "random")?, integer(lua, values, 1, "random")?);
            if lower > upper {
                return Err(Error::runtime(EMPTY[1]));
            }
            Ok((fraction * (upper - lower + 1.0)).floor() + lower)
        }
        _ => Err(Error::runtime("wrong number of arguments")),
    }
}

/// Puts `random` and `randomseed` into a table.
pub(super) fn put(lua: &Lua, table: &Table) -> Result<()> {
    let state = Rc::new(Cell::new(STATE_FIRST));
    let own = state.clone();
    let function = lua.create_function(move |lua, values: Variadic<Value>| random(&own, lua, &values))?;
    table.raw_set("random", function)?;
    let seed = lua.create_function(move |lua, values: Variadic<Value>| {
        let seed = integer(lua, &values, 0, "randomseed")? as i32 as u32;
        state.set(u64::from(seed) << 16 | SEED_LOW);
        Ok(())
    })?;
    table.raw_set("randomseed", seed)
}
