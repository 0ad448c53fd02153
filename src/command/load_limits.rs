//! The parameters that say up to where small forms stay small, for values that come from RDB. Called by RESTORE and by
//! whoever loads files.

use crate::config::Config;
use crate::persist::rdb::value_read::LoadLimits;
use crate::stats::server::ServerFacts;

use super::{hash, list, set, sorted_set};

/// What the parameters say now.
pub fn load_limits(config: &Config, server: &ServerFacts) -> LoadLimits {
    LoadLimits {
        list: list::node_limits(config, server),
        set: set::limits(config),
        hash: hash::packed_limits(config),
        sorted_set: sorted_set::limits(config),
    }
}
