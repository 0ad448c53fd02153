//! What an RDB file is made of beside its values. Shared by its reader and its writer.

/// What a file begins with, followed by four digits of its version.
pub(super) const MAGIC_REDIS: &[u8] = b"REDIS";
/// What a file of Valkey 9.0 or newer begins with, followed by three digits.
pub(super) const MAGIC_VALKEY: &[u8] = b"VALKEY";
/// Bytes of either, digits included.
pub(super) const HEADER_BYTES: usize = 9;
/// The first version with a checksum at the end.
pub(super) const VERSION_WITH_SUM: u16 = 5;

/// Three lengths: a cluster's slot, its keys, and those of them that expire.
pub(super) const SLOT_SIZES: u8 = 244;
/// A library of functions, as its source.
pub(super) const FUNCTION: u8 = 245;
/// The same, as release candidates of Redis 7.0 wrote it.
pub(super) const FUNCTION_OLD: u8 = 246;
/// Data of a module that belongs to no key.
pub(super) const MODULE_DATA: u8 = 247;
/// A length: the seconds for which the next key was not used.
pub(super) const IDLE: u8 = 248;
/// A byte: the LFU counter of the next key.
pub(super) const FREQUENCY: u8 = 249;
/// Name and value: facts about the server that wrote the file.
pub(super) const AUX: u8 = 250;
/// Two lengths: how many keys the database holds, and how many of them expire.
pub(super) const SIZES: u8 = 251;
/// When the next key expires, eight bytes, milliseconds.
pub(super) const EXPIRY_MS: u8 = 252;
/// When the next key expires, four bytes, seconds.
pub(super) const EXPIRY_SECONDS: u8 = 253;
/// A length: the database of the keys that follow.
pub(super) const DATABASE: u8 = 254;
/// The end; the checksum follows.
pub(super) const END: u8 = 255;
