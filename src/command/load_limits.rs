//! The parameters that say up to where small forms stay small, for values that come from RDB. Called by RESTORE and by
//! whoever loads files.

use crate::config::Config;
use crate::persist::rdb::value_read::LoadLimits;
use crate::stats::server::ServerFacts;
use crate::value::sorted_set::PackedLimits;

use super::{hash, list, set};

/// What the parameters say now.
pub fn load_limits(config: &Config, server: &ServerFacts) -> LoadLimits {
    LoadLimits {
        list: list::node_limits(config, server),
        set: set::limits(config),
        hash: hash::packed_limits(config),
        sorted_set: PackedLimits {
            members_max: config.get_u64(crate::param!("zset-max-listpack-entries")),
            member_bytes_max: config.get_u64(crate::param!("zset-max-listpack-value")),
        },
    }
}
