//! Every limit of the server by name, with the rule for reaching it. Bytes bound buffers, not counts.
//!
//! Anyone may read; a limit that a parameter of `redis.conf` overrides is only the default here.

/// Databases a keyspace holds when `databases` is not configured (Redis' default).
pub const DATABASES_DEFAULT: u32 = 16;

/// Shards a server can have: the cursor of SCAN keeps ten bits for the shard. More cores than this are left alone.
pub const SHARDS_MAX: usize = 64;

/// Largest bulk string a client may send, in bytes (`proto-max-bulk-len`). Beyond: "invalid bulk length", connection closed.
pub const BULK_BYTES_MAX_DEFAULT: u64 = 512 * 1024 * 1024;

/// Longest inline request or header line, in bytes. Beyond: "too big inline request" or "too big … count string", closed.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Most arguments one request may announce. Beyond: "invalid multibulk length", closed.
pub const ARGUMENTS_MAX: i64 = i32::MAX as i64;

/// Most arguments a client that has not authenticated may announce. Beyond: "unauthenticated multibulk length", closed.
pub const ARGUMENTS_UNAUTHENTICATED_MAX: i64 = 10;

/// Largest argument of a client that has not authenticated, in bytes. Beyond: "unauthenticated bulk length", closed.
pub const BULK_BYTES_UNAUTHENTICATED_MAX: u64 = 16 * 1024;

/// Largest query buffer of one client, in bytes (`client-query-buffer-limit`). Beyond: the client is closed, with a log line.
pub const QUERY_BUFFER_BYTES_MAX_DEFAULT: u64 = 1024 * 1024 * 1024;

/// An argument of at least this many bytes that has not arrived whole is read straight into a buffer of its own.
pub const BIG_ARGUMENT_BYTES_MIN: usize = 32 * 1024;

/// A string value of at least this many bytes is kept as a shared buffer, and replies refer to it instead of copying it.
pub const SHARED_VALUE_BYTES_MIN: usize = 16 * 1024;

/// Commands of one session run in one turn. Beyond: the rest waits until other sessions had theirs.
pub const COMMANDS_PER_TURN_MAX: usize = 512;

/// Longest text of a long double, in bytes (Redis' MAX_LONG_DOUBLE_CHARS less its end). Beyond: "value is not a valid float".
pub const LONG_DOUBLE_TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// Groups of stars a glob pattern may have before its last piece (Redis' nesting limit). Beyond: the pattern matches nothing.
pub const GLOB_STARS_MAX: usize = 1000;

/// Steps one match of a glob may take on top of those linear in text and pattern. Beyond: no match. About 50 ms.
pub const GLOB_STEPS_MAX: u64 = 16 * 1024 * 1024;

/// Most digits of a memory size such as `100mb`. Beyond: not a memory value.
pub const MEMORY_DIGITS_MAX: usize = 127;

/// Longest string LCS takes, in bytes. Beyond: "String too long for LCS".
pub const LCS_TEXT_BYTES_MAX: usize = u32::MAX as usize - 2;

/// Largest query buffer the parser can address, in bytes: ranges of arguments keep the upper half of 32 bits for arguments
/// in buffers of their own. Beyond: as if `client-query-buffer-limit` were reached.
pub const QUERY_BUFFER_BYTES_ADDRESSABLE: usize = 1 << 31;

/// First capacity of a big argument's own buffer, in bytes. It doubles as bytes arrive and never exceeds what was announced,
/// so an announcement alone costs no more than this.
pub const BIG_ARGUMENT_BYTES_FIRST: usize = 64 * 1024;

/// Capacities that parsed requests keep from read to read (arguments, commands). Beyond: given back.
pub const PARSED_ARGUMENTS_KEPT_MAX: usize = 64 * 1024;

/// Reply bytes whose capacity is kept when a reply is cleared. Beyond: shrunk to this.
pub const REPLY_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Depth to which replies may nest when we read them as a client. Beyond: an error, the connection is given up.
pub const RESPONSE_DEPTH_MAX: usize = 128;

const _: () = assert!(BULK_BYTES_UNAUTHENTICATED_MAX < BIG_ARGUMENT_BYTES_MIN as u64, "who has not authenticated gets no buffer of their own");
