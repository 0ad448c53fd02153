//! `Value`: what a key refers to when it does not fit into the key's own allocation, and the names of the types.
//!
//! Short strings and integers live inside the entry (`keyspace/entry.rs`); everything else is one `Box<Value>`.
//! Called by `keyspace/` and by the command families.

use bytes::Bytes;

use super::hash::Hash;
use super::list::List;
use super::member_table::MemberTable;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;

/// The type of a value as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// Strings, integers and bitmaps.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    SortedSet,
    /// Hashes.
    Hash,
    /// Streams.
    Stream,
}

impl ObjectType {
    /// The name TYPE and `SCAN … TYPE` use.
    pub const fn name(self) -> &'static str {
        match self {
            ObjectType::String => "string",
            ObjectType::List => "list",
            ObjectType::Set => "set",
            ObjectType::SortedSet => "zset",
            ObjectType::Hash => "hash",
            ObjectType::Stream => "stream",
        }
    }
}

/// What every collection type can do, for the layers that treat all of them alike.
pub trait Collection: Sized {
    /// Whether elements may expire by themselves, so that the keyspace keeps an index of the keys where one does.
    const HAS_FIELD_TIMES: bool = false;
    /// The collection inside a value of its type.
    fn of(value: &Value) -> Option<&Self>;
    /// As `of`, for changing it.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// The value that holds it.
    fn into_value(self) -> Value;
    /// Whether it has no element. (Redis removes such a key, but for streams.)
    fn is_empty(&self) -> bool;
    /// How it is kept, in the words of OBJECT ENCODING.
    fn encoding(&self) -> &'static str;
    /// Bytes of memory it takes, without the `Value` itself. In constant time; an estimate is good enough.
    fn memory_bytes(&self) -> usize;
    /// A collection of the same content that can be changed without changing this one (COPY).
    fn copy(&self) -> Self;
    /// How many allocations dropping it frees, about: decides whether it is freed in slices.
    fn allocations(&self) -> usize;
    /// Frees about `ALLOCATIONS_PER_SLICE` allocations of a collection that nobody will look at again; false when little
    /// is left, and the rest can be dropped at once.
    fn free_slice(&mut self) -> bool;
    /// Takes out a string of more than `bytes` bytes that the next slice would free as a whole, of a collection that nobody
    /// will look at again: its buffer can then be freed in slices of its own.
    fn take_large_string(&mut self, _bytes: usize) -> Option<Bytes> {
        None
    }
}

/// Allocations that `Collection::free_slice` frees at a time: about 0.1 ms of work.
pub const ALLOCATIONS_PER_SLICE: usize = 1024;

macro_rules! collections {
    ($($(#[$doc:meta])* $variant:ident;)*) => {
        /// A value kept outside its entry.
        #[derive(Debug)]
        pub enum Value {
            /// A string that is long, or that was edited in place (Redis' `raw` encoding).
            String(LongString),
            $($(#[$doc])* $variant($variant),)*
        }

        impl Value {
            /// The type of this value.
            pub const fn object_type(&self) -> ObjectType {
                match self {
                    Value::String(_) => ObjectType::String,
                    $(Value::$variant(_) => ObjectType::$variant,)*
                }
            }

            /// How it is kept, in the words of OBJECT ENCODING.
            pub fn encoding(&self) -> &'static str {
                match self {
                    Value::String(_) => "raw",
                    $(Value::$variant(collection) => collection.encoding(),)*
                }
            }

            /// Bytes of memory it takes, itself included.
            pub fn memory_bytes(&self) -> usize {
                let inner = match self {
                    Value::String(string) => string.memory_bytes(),
                    $(Value::$variant(collection) => collection.memory_bytes(),)*
                };
                std::mem::size_of::<Value>() + inner
            }

            /// A value of the same content that can be changed without changing this one (COPY).
            pub fn copy(&self) -> Value {
                match self {
                    Value::String(LongString::Private(bytes)) => Value::String(LongString::Private(bytes.clone())),
                    // Shared buffers are never edited, so two values may refer to one.
                    Value::String(LongString::Shared(bytes)) => Value::String(LongString::Shared(bytes.clone())),
                    $(Value::$variant(collection) => Value::$variant(collection.copy()),)*
                }
            }

            /// How many allocations dropping it frees, about.
            pub fn allocations(&self) -> usize {
                match self {
                    Value::String(_) => 1,
                    $(Value::$variant(collection) => collection.allocations(),)*
                }
            }

            /// Takes a large string out of a collection that is being freed (`Collection::take_large_string`).
            pub fn take_large_string(&mut self, bytes: usize) -> Option<Bytes> {
                match self {
                    Value::String(_) => None,
                    $(Value::$variant(collection) => collection.take_large_string(bytes),)*
                }
            }

            /// Frees a part of a collection (`Collection::free_slice`); false when little is left.
            pub fn free_slice(&mut self) -> bool {
                match self {
                    Value::String(_) => false,
                    $(Value::$variant(collection) => collection.free_slice(),)*
                }
            }
        }
    };
}

collections! {
    /// A list.
    List;
    /// A set.
    Set;
    /// A sorted set.
    SortedSet;
    /// A hash.
    Hash;
    /// A stream.
    Stream;
}

impl Value {
    /// The table of a large set, hash or sorted set.
    #[inline]
    pub fn member_table(&self) -> Option<&MemberTable> {
        match self {
            Value::Set(Set::Table(table)) => Some(table),
            Value::Hash(hash) => hash.member_table(),
            Value::SortedSet(sorted_set) => sorted_set.member_table(),
            _ => None,
        }
    }
}

/// The three conversions that every collection type writes alike.
macro_rules! collection_conversions {
    ($variant:ident) => {
        fn of(value: &$crate::value::object::Value) -> Option<&Self> {
            match value {
                $crate::value::object::Value::$variant(collection) => Some(collection),
                _ => None,
            }
        }
        fn of_mut(value: &mut $crate::value::object::Value) -> Option<&mut Self> {
            match value {
                $crate::value::object::Value::$variant(collection) => Some(collection),
                _ => None,
            }
        }
        fn into_value(self) -> $crate::value::object::Value {
            $crate::value::object::Value::$variant(self)
        }
    };
}
pub(super) use collection_conversions;

/// A string in a buffer of its own: private while it is being edited, shared while replies may refer to it.
#[derive(Debug)]
pub enum LongString {
    /// Edited in place; nobody else refers to it.
    Private(Vec<u8>),
    /// Replies in flight may refer to it, so it is never edited.
    Shared(Bytes),
}

impl LongString {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            LongString::Private(bytes) => bytes,
            LongString::Shared(bytes) => bytes,
        }
    }

    /// The bytes for editing; a shared buffer is taken over when no reply refers to it any more, else copied.
    pub fn edit(&mut self) -> &mut Vec<u8> {
        if let LongString::Shared(bytes) = self {
            let owned = match std::mem::take(bytes).try_into_mut() {
                Ok(unique) => Vec::from(unique),
                Err(shared) => shared.to_vec(),
            };
            *self = LongString::Private(owned);
        }
        match self {
            LongString::Private(bytes) => bytes,
            LongString::Shared(_) => unreachable!("turned private above"),
        }
    }

    /// A reference that a reply can keep; the buffer becomes shared, without copying it.
    pub fn share(&mut self) -> Bytes {
        if let LongString::Private(bytes) = self {
            *self = LongString::Shared(Bytes::from(std::mem::take(bytes)));
        }
        match self {
            LongString::Shared(bytes) => bytes.clone(),
            LongString::Private(_) => unreachable!("turned shared above"),
        }
    }

    /// Bytes of memory the buffer takes.
    pub fn memory_bytes(&self) -> usize {
        match self {
            LongString::Private(bytes) => bytes.capacity(),
            LongString::Shared(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_string_is_not_edited_under_a_reply() {
        let mut string = LongString::Private(b"abc".to_vec());
        let reply = string.share();
        string.edit().extend_from_slice(b"def");
        assert_eq!(&reply[..], b"abc");
        assert_eq!(string.as_bytes(), b"abcdef");
    }

    #[test]
    fn sharing_does_not_copy() {
        let mut string = LongString::Private(vec![7; 100_000]);
        let place = string.as_bytes().as_ptr();
        assert_eq!(string.share().as_ptr(), place);
        assert_eq!(string.edit().as_ptr(), place, "taken back when nobody else refers to it");
    }
}
