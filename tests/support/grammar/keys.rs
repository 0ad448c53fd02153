//! Grammar of the commands on keys of any type, databases and expiry.

pub const LINES: &str = "
12 DEL {key}+
6 UNLINK {key}+
10 EXISTS {key}+
5 TOUCH {key}+
8 TYPE key
10 EXPIRE key seconds [NX|XX|GT|LT]
8 PEXPIRE key milliseconds [NX|XX|GT|LT]
8 EXPIREAT key unix-seconds [NX|XX|GT|LT]
8 PEXPIREAT key unix-milliseconds [NX|XX|GT|LT]
3 EXPIRE key seconds {(NX|XX|GT|LT)}+
8 TTL key
8 PTTL key
6 EXPIRETIME key
6 PEXPIRETIME key
8 PERSIST key
8 RENAME key key
6 RENAMENX key key
8 COPY key key [DB db] [REPLACE]
3 COPY key key [REPLACE] [DB db]
6 MOVE key db
2 SWAPDB db db
4 RANDOMKEY
4 KEYS pattern
6 SCAN cursor [MATCH pattern] [COUNT count] [TYPE (String|LIST|Bogus)]
6 DBSIZE
1 FLUSHDB [SYNC|ASYNC|Bogus]
1 FLUSHALL [SYNC|ASYNC]
8 OBJECT ENCODING key
2 OBJECT FREQ key
2 OBJECT IDLETIME key
2 OBJECT REFCOUNT key
1 OBJECT Bogus key
";
