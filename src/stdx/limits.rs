//! Every limit of the server by name, with the rule for reaching it. Bytes bound buffers, not counts.
//!
//! Anyone may read; a limit that a parameter of `redis.conf` overrides is only the default here.

/// Databases a keyspace holds when `databases` is not configured (Redis' default).
pub const DATABASES_DEFAULT: u32 = 16;

/// Shards a server can have; the cursor of SCAN keeps up to six bits for the shard. More cores than this are left alone.
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

/// Bytes that the compressed strings of one payload of RESTORE may become. Beyond: "Bad data format".
pub const PAYLOAD_UNPACKED_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024;

/// Bytes of an RDB file that are read and written at a time. A key that takes more has a piece of its own.
pub const RDB_CHUNK_BYTES: usize = 512 * 1024;

/// Bytes of a snapshot that wait for the disk. Beyond: the walks over the data rest, and only what is about to change is
/// added.
pub const SNAPSHOT_BYTES_QUEUED_REST: usize = 16 * 1024 * 1024;

/// Bytes of a snapshot that wait for the disk, early entries included. Beyond: the snapshot is given up.
pub const SNAPSHOT_BYTES_QUEUED_MAX: usize = 1024 * 1024 * 1024;

/// Chunks of a file that wait for a shard's loading thread. Beyond: the reading thread waits.
pub const RDB_CHUNKS_QUEUED_MAX: usize = 8;

/// Bytes of an RDB file between two flushes to disk (`rdb-save-incremental-fsync`), so that the last one is short.
pub const RDB_BYTES_BETWEEN_SYNCS: usize = 16 * 1024 * 1024;

/// Keys without elements that a load names in the log, on each shard; the others are only counted (Redis names ten).
pub const RDB_EMPTY_KEYS_LOGGED_MAX: u64 = 10;

/// Commands of one session run in one turn. Beyond: the rest waits until other sessions had theirs.
pub const COMMANDS_PER_TURN_MAX: usize = 512;

/// Commands in one batch to another core. Beyond: the rest goes in the next batch.
pub const BATCH_COMMANDS_MAX: usize = 1024;

/// Argument bytes after which a batch takes no further command. One command may exceed it: the next batch is new.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// Buffer a recycled batch keeps, in bytes. Beyond: given back to the allocator.
pub const BATCH_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Batches a core keeps for its next use. Beyond: dropped.
pub const BATCHES_KEPT_MAX: usize = 256;

/// Slots of the ring from one core to another. Beyond: the sender's own queue, see `OVERFLOW_MESSAGES_MAX`.
pub const RING_SLOTS: usize = 1024;

/// Messages a core queues for others beyond their rings. Beyond: its sessions are not read until the queue has drained.
pub const OVERFLOW_MESSAGES_MAX: usize = 1024;

/// Batches of one session that may be out at other cores. Beyond: the session is not read until one returns.
pub const BATCHES_PER_SESSION_MAX: usize = 16;

/// Spins before a box that is not on its shelf counts as missed: its taker may have been descheduled.
pub const SHELF_SPINS: u32 = 32;

/// Rounds of each core's background work in a second (INFO's `hz`). One that is behind comes again sooner.
pub const CRON_ROUNDS_PER_SECOND: u64 = 10;

/// Longest DEBUG SLEEP, in milliseconds. Beyond: it sleeps no longer.
pub const DEBUG_SLEEP_MS_MAX: u64 = 60 * 60 * 1000;


/// Commands whose keys are prefetched before the first of them runs.
pub const PREFETCH_WINDOW: usize = 32;

const _: () = assert!(SHARDS_MAX <= 64, "sets of shards are one 64-bit word");

/// Locks over which the names of channels are spread, so that publishers seldom meet.
pub const PUBSUB_LOCKS: usize = 64;

/// Read buffer of an idle session, in bytes. A longer request makes it grow; it shrinks again afterwards.
pub const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Read buffer a session keeps, in bytes. Beyond: given back once it is used up.
pub const READ_BUFFER_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Keys one client may watch.
pub const WATCHED_KEYS_MAX: usize = 1_000_000;

/// Bytes read at a time from a client that waits for a key: mostly nothing comes until it is served.
pub const READ_AHEAD_BYTES: usize = 4 * 1024;

/// Pieces of one session's replies that wait for an earlier reply from another core. Beyond: the session's commands wait
/// until its batches have returned. The same holds for `OUTPUT_BYTES_PAUSE` bytes in such pieces.
pub const LATE_PIECES_MAX: usize = 1024;

/// Replies waiting in one session after which its commands wait until they have been sent, in bytes. Redis lets them grow
/// without bound (`client-output-buffer-limit normal 0 0 0`), so clients may send long pipelines before they read.
pub const OUTPUT_BYTES_PAUSE: usize = 256 * 1024 * 1024;

/// The same for a client that has not authenticated (CVE-2025-21605).
pub const OUTPUT_BYTES_PAUSE_UNAUTHENTICATED: usize = 64 * 1024;
/// Bits of a key's hash that the keyspace's table can split by. Beyond: a segment keeps more entries in its overflow list.
pub const TABLE_DEPTH_MAX: u32 = 26;

/// Directory words per segment that a table may have after its directory doubled; random hashes need about 2.
/// Beyond (hashes made to be alike): the directory stays, and the segment keeps the entry in its overflow list.
pub const TABLE_DIRECTORY_SPARSENESS_MAX: usize = 16;

/// Empty home buckets that one step of a table's scan passes over. Beyond: the step returns with nothing.
pub const TABLE_SCAN_EMPTY_BUCKETS_MAX: usize = 64;

/// Draws for one RANDOMKEY; each that meets an expired key removes it. Beyond (next to nothing but expired keys): no key.
pub const RANDOM_KEY_DRAWS_MAX: usize = 4096;

/// Draws for a random entry. Beyond (a table of nearly empty segments): the next entry after a random place is taken.
pub const TABLE_RANDOM_DRAWS_MAX: usize = 128;

/// Fields drawn for one of HRANDFIELD's that may turn out to have expired. Beyond (next to nothing but expired ones): a walk.
pub const DUE_FIELD_DRAWS_MAX: usize = 128;

/// Expired fields that HRANDFIELD removes from its hash before it draws. Beyond: they stay, and are passed over.
pub const DUE_FIELDS_REMOVED_MAX: usize = 1024;

/// Latest time at which a field of a hash may expire, Unix milliseconds (Redis' HFE_MAX_ABS_TIME_MSEC). Beyond: "invalid expire time".
pub const FIELD_TIME_MS_MAX: i64 = (1 << 46) - 1;

/// Fields of hashes that one slice of active expiry removes, about 0.1 ms of work. Beyond: the next slice goes on there.
pub const FIELDS_EXPIRED_PER_SLICE: usize = 256;

/// Longest text of a long double, in bytes (Redis' MAX_LONG_DOUBLE_CHARS less its end). Beyond: "value is not a valid float".
pub const LONG_DOUBLE_TEXT_BYTES_MAX: usize = 5 * 1024 - 1;

/// Groups of stars a glob pattern may have before its last piece (Redis' nesting limit). Beyond: the pattern matches nothing.
pub const GLOB_STARS_MAX: usize = 1000;

/// Steps one match of a glob may take on top of those linear in text and pattern. Beyond: no match. About 40 ms.
pub const GLOB_STEPS_MAX: u64 = 8 * 1024 * 1024;

/// Most digits of a memory size such as `100mb`. Beyond: not a memory value.
pub const MEMORY_DIGITS_MAX: usize = 127;

/// Longest string LCS takes, in bytes. Beyond: "String too long for LCS".
pub const LCS_TEXT_BYTES_MAX: usize = u32::MAX as usize - 2;
/// Longest `look-around-us` that can be configured, in microseconds. Beyond: the value is refused.
pub const LOOK_AROUND_US_MAX: u32 = 1_000_000;

/// Depth to which configuration files may include each other. Beyond: the start is refused.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// Addresses `bind` may list. Beyond: "Too many bind addresses specified.", the value is refused.
pub const BIND_ADDRESSES_MAX: usize = 16;

/// Bytes of a host name that cluster nodes may announce. At or beyond: the value is refused.
pub const HOST_NAME_BYTES_MAX: usize = 256;

/// Threads that count their allocations in a cell of their own, plus one cell that all later threads share (slower, not wrong).
pub const MEMORY_CELLS: usize = 2 * SHARDS_MAX;
const _: () = assert!(MEMORY_CELLS > SHARDS_MAX, "every core counts in a cell of its own");

/// Length up to which a string that is edited in place doubles its buffer, in bytes. Beyond: it gets an eighth more at a time.
pub const STRING_DOUBLING_BYTES_MAX: usize = 1024 * 1024;
/// Descriptors kept for ourselves beside those of clients (as Redis does): files, rings, listening sockets.
pub const DESCRIPTORS_RESERVED: u64 = 32;
/// Submission slots of one core's io_uring. When they are taken, what is there is handed to the kernel before the turn ends.
pub const RING_SUBMISSIONS: u32 = 1024;

/// Completion slots of one core's io_uring, 16 bytes each. Beyond: the kernel keeps completions in a list of its own, which costs time. Kernels before 5.19 may then refuse
/// new submissions, for which monoio has no remedy, so there is room for one completion of every connection a core is likely to have.
pub const RING_COMPLETIONS: u32 = 32 * 1024;
const _: () = assert!(RING_COMPLETIONS >= 2 * RING_SUBMISSIONS, "the kernel's own default");

/// Events one epoll call returns at most. Beyond: the rest comes with the next call.
pub const EPOLL_EVENTS: u32 = 1024;

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

/// Turns in which a command over several shards tries to find all boxes on their shelves. Beyond: it is scattered or borrows.
pub const MISSES_MAX: u32 = 8;

/// Commands one loan serves before its boxes go home, so that their home cores do not wait for long.
pub const COMMANDS_PER_LOAN_MAX: usize = 512;

/// Items of a command that is scattered. Beyond: it borrows whole boxes, whose cost does not grow with the keys.
pub const SCATTERED_ITEMS_MAX: usize = 64;

/// Keys held in one shard at a time; each is compared with every key asked for. Beyond: holds are refused, and a loan follows.
pub const HELD_KEYS_MAX: usize = 256;

/// Most members of an intset, whatever `set-max-intset-entries` says (as in Redis). Beyond: the set becomes a table.
pub const INTSET_ENTRIES_MAX: usize = 1 << 30;

/// Longest reply of members that a client has repeated (SRANDMEMBER, ZRANDMEMBER, HRANDFIELD with a negative count), in bytes:
/// as long as one string may be. Beyond: "value is out of range". Redis goes on until the memory is used up.
pub const REPEATED_REPLY_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Largest listpack, in bytes, whatever the parameters say (as in Redis). Beyond: the collection takes its large form.
pub const LISTPACK_BYTES_MAX: usize = 1 << 30;

/// Draws for each member of a random sample of a table. Beyond (a table where few members can be drawn): the rest of the
/// sample is taken in one walk over all members.
pub const SAMPLE_DRAWS_PER_MEMBER_MAX: usize = 64;
/// Bytes of one node of a stream, and of the fields and values of one entry. Beyond: a new node; "Elements are too large to be stored".
pub const STREAM_NODE_BYTES_MAX: usize = 1 << 30;

/// Elements that PFSELFTEST adds. A tenth of Redis': the core that runs it serves nobody else meanwhile.
pub const HYPERLOGLOG_TEST_ELEMENTS: u64 = 1_000_000;

/// Commands that an application may add to ours: the look-up table stays at most half full.
pub const REGISTERED_COMMANDS_MAX: usize = 64;

/// Scripts kept that only EVAL brought (as in Redis). Beyond: the oldest is forgotten; EVALSHA of it gets NOSCRIPT.
pub const EVAL_SCRIPTS_MAX: usize = 500;

/// Largest value, in bytes, that is kept before a script changes it. Beyond: the script takes the boxes of all shards.
pub const SCRIPT_UNDO_VALUE_BYTES_MAX: usize = 64 << 10;

/// Bytes of all values kept for one script. Beyond: it takes the boxes of all shards.
pub const SCRIPT_UNDO_BYTES_MAX: usize = 4 << 20;

/// Runs of a script in a row that had to begin anew, beyond those that did not. From here on it begins with all boxes.
pub const SCRIPT_MISSES_MAX: u32 = 4;

/// Milliseconds that a script runs before it stands still for the first time.
pub const SCRIPT_SLICE_FIRST_MS: u64 = 20;

/// Milliseconds that it runs at a time from then on.
pub const SCRIPT_SLICE_MS: u64 = 10;

/// Bytes of memory of one core's interpreter. Beyond: the script fails with "not enough memory".
pub const SCRIPT_MEMORY_BYTES_MAX: usize = 512 << 20;

/// Scripts that a core keeps compiled. Beyond: all are forgotten, and compiled anew when they are called.
pub const SCRIPTS_COMPILED_MAX: usize = 4096;

/// Places where a script can be interrupted that it passes before its core looks at the clock.
pub const SCRIPT_INTERRUPTS_PER_POLL: u32 = 1024;

/// Milliseconds that the code of a library may run while it is loaded (as in Redis). Beyond: FUNCTION LOAD fails.
pub const FUNCTION_LOAD_MS_MAX: u64 = 500;
/// Buffer that a box's journal, and a shipment on its way to the log, keep when they are emptied, in bytes.
pub const JOURNAL_BYTES_KEPT_MAX: usize = 64 * 1024;

/// Shipments on their way from one core to the log. Beyond: they become one, which grows until the log has room.
pub const LOG_RING_SLOTS: usize = 256;

/// Bytes of commands collected before they are written to a base that consists of them.
pub const COMMAND_FILE_BUFFER_BYTES: usize = 1 << 20;

/// Times in a turn that a core writes what came meanwhile, for all cores, before it leaves the rest to the log's thread.
pub const LOG_ROUNDS_PER_TURN_MAX: usize = 4;

/// Bytes given to the log that are not in its file yet. Beyond: sessions are not read until the log has caught up.
pub const LOG_WAITING_BYTES_MAX: u64 = 256 << 20;

/// Bytes the log puts in order before it writes them.
pub const LOG_BYTES_PER_WRITE_MAX: usize = 16 << 20;

/// Bytes of a log file read at a time when it is loaded.
pub const REPLAY_BYTES_PER_READ: usize = 1 << 20;

/// Commands of a log file that are loaded before others get at the boxes.
pub const REPLAY_COMMANDS_PER_SLICE: usize = 1024;

/// Commands and subcommands that a set of allowed commands can hold. Beyond: the server does not start (only an application
/// that registers commands with very many subcommands comes there).
pub const ACCESS_COMMANDS_MAX: usize = 2048;
const _: () = assert!(ACCESS_COMMANDS_MAX.is_multiple_of(64), "sets of commands are made of whole words");

/// Digits of a password that ACL GENPASS makes: 4096 bits, as in Redis. Beyond: an error.
pub const PASSWORD_DIGITS_MAX: usize = 1024;

/// Bytes that wait to be sent to a client who monitors, when `client-output-buffer-limit normal` sets no limit. Beyond: closed.
pub const MONITOR_OUTPUT_BYTES_MAX: u64 = 256 << 20;

/// Entries of ACL LOG that are looked through for an equal one (as in Redis). Beyond: a new entry.
pub const DENIAL_SEARCH_ENTRIES_MAX: usize = 10;
