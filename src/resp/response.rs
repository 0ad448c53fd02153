//! Reads replies.
