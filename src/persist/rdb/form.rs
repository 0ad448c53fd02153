//! The forms in which RDB keeps values, by number, and the versions that know them.

/// The newest version of Redis' format that is read: Redis 7.4's.
pub const VERSION_REDIS_MAX: u16 = 12;
/// The versions of Valkey's own that are read: Valkey 9.0's.
pub const VERSION_VALKEY: u16 = 80;

/// The version that Redis 7.0 writes, the oldest one written here.
pub const VERSION_7_0: u16 = 10;
/// The version that Redis 7.2 writes.
pub const VERSION_7_2: u16 = 11;
/// The version that Redis 7.4 writes.
pub const VERSION_7_4: u16 = 12;

/// Whether a version can be read.
pub const fn is_readable_version(version: u16) -> bool {
    version <= VERSION_REDIS_MAX || version == VERSION_VALKEY
}

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// How a value is kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Form {
            $($(#[$doc])* $name = $number,)*
        }

        impl Form {
            /// The form with this number in a payload or file of this version.
            pub const fn of_number(number: u8, version: u16) -> Option<Form> {
                // Two projects gave different meanings to one number.
                if version >= VERSION_VALKEY && number >= 22 {
                    return if number == 22 { Some(Form::HashExpiriesAbsolute) } else { None };
                }
                if number > Form::HashListpackExpiries as u8 {
                    return None;
                }
                match number {
                    $($number => Some(Form::$name),)*
                    _ => None,
                }
            }
        }
    };
}

forms! {
    /// A string.
    String = 0,
    /// Count, elements.
    List = 1,
    /// Count, members.
    Set = 2,
    /// Count, members each with its score as text.
    SortedSetText = 3,
    /// Count, fields each with its value.
    Hash = 4,
    /// Count, members each with its score as eight bytes.
    SortedSet = 5,
    /// A module's, as release candidates of Redis 4.0 wrote it.
    ModuleOld = 6,
    /// A module's.
    Module = 7,
    /// A hash as a zipmap (before Redis 2.6).
    HashZipmap = 9,
    /// A list as a ziplist.
    ListZiplist = 10,
    /// A set of integers.
    SetIntset = 11,
    /// A sorted set as a ziplist.
    SortedSetZiplist = 12,
    /// A hash as a ziplist.
    HashZiplist = 13,
    /// Count, ziplists.
    ListZiplists = 14,
    /// A stream of Redis 5.
    Stream5 = 15,
    /// A hash as a listpack.
    HashListpack = 16,
    /// A sorted set as a listpack.
    SortedSetListpack = 17,
    /// Count, listpacks or single large elements.
    ListListpacks = 18,
    /// A stream of Redis 7.0.
    Stream7 = 19,
    /// A set as a listpack (Redis 7.2).
    SetListpack = 20,
    /// A stream of Redis 7.2.
    Stream72 = 21,
    /// Count, then expiry, field, value (release candidates of Redis 7.4).
    HashExpiriesOld = 22,
    /// A listpack of field, value, expiry (release candidates of Redis 7.4).
    HashListpackExpiriesOld = 23,
    /// First expiry, count, then expiry relative to that, field, value (Redis 7.4).
    HashExpiries = 24,
    /// First expiry, a listpack of field, value, expiry (Redis 7.4).
    HashListpackExpiries = 25,
    /// Count, then field, value, expiry; number 22 of Valkey 9.0. Here a number that nobody uses.
    HashExpiriesAbsolute = 255,
}

impl Form {
    /// The first version whose readers know it.
    pub const fn version(self) -> u16 {
        match self as u8 {
            0..=19 => VERSION_7_0,
            20..=21 => VERSION_7_2,
            22..=25 => VERSION_7_4,
            _ => VERSION_VALKEY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_two_meanings() {
        assert_eq!(Form::of_number(22, VERSION_7_4), Some(Form::HashExpiriesOld));
        assert_eq!(Form::of_number(22, VERSION_VALKEY), Some(Form::HashExpiriesAbsolute));
        assert_eq!(Form::of_number(23, VERSION_VALKEY), None);
        assert_eq!(Form::of_number(21, VERSION_VALKEY), Some(Form::Stream72));
        assert_eq!(Form::of_number(8, VERSION_7_4), None);
        assert_eq!(Form::of_number(26, VERSION_7_4), None);
        assert_eq!(Form::of_number(255, VERSION_7_4), None);
    }

    #[test]
    fn versions() {
        let readable: Vec<u16> = (0..200).filter(|&version| is_readable_version(version)).collect();
        assert_eq!(readable, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 80]);
    }
}
