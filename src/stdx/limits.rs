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
pub const ARGUMENTS_MAX: i64 = 1024 * 1024 * 1024;

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

/// Threads that count their allocations in a cell of their own, plus one cell that all later threads share (slower, not wrong).
pub const MEMORY_CELLS: usize = 2 * SHARDS_MAX;
const _: () = assert!(MEMORY_CELLS > SHARDS_MAX, "every core counts in a cell of its own");

/// Submission slots of one core's io_uring. When they are taken, what is there is handed to the kernel before the turn ends.
pub const RING_SUBMISSIONS: u32 = 1024;

/// Completion slots of one core's io_uring, 16 bytes each. Beyond: the kernel keeps completions in a list of its own, which costs time. Kernels before 5.19 may then refuse
/// new submissions, for which monoio has no remedy, so there is room for one completion of every connection a core is likely to have.
pub const RING_COMPLETIONS: u32 = 32 * 1024;
const _: () = assert!(RING_COMPLETIONS >= 2 * RING_SUBMISSIONS, "the kernel's own default");

/// Events one epoll call returns at most. Beyond: the rest comes with the next call.
pub const EPOLL_EVENTS: u32 = 1024;
