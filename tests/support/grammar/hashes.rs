//! Grammar of the hash commands; those about the expiry of fields, which came with 7.4, apart.

pub const LINES: &str = "
30 HSET key {member value}+
10 HSET key {member integer}+
8 HMSET key {member value}+
8 HSETNX key member value
20 HGET key member
10 HMGET key {member}+
12 HGETALL key
6 HKEYS key
6 HVALS key
8 HLEN key
6 HSTRLEN key member
6 HEXISTS key member
18 HDEL key {member}+
12 HINCRBY key member integer
12 HINCRBYFLOAT key member float
6 HRANDFIELD key
6 HRANDFIELD key count [WITHVALUES]
2 HRANDFIELD key (-9223372036854775808|-7|Bogus|1 Bogus|-3 WITHVALUES|9223372036854775807 WITHVALUES)
6 HSCAN key cursor [MATCH pattern] [COUNT count]
2 HSCAN key cursor {(MATCH pattern|COUNT count|TYPE HASH|Bogus)}+
# Hashes that are large enough for a table.
2 HSET key Long 0123456789012345678901234567890123456789012345678901234567890123456789 A 1 B 2 C 3 D 4 E 5 F 6
";

pub const LINES_7_4: &str = "
10 HEXPIRE key seconds [NX|XX|GT|LT] FIELDS (1 member|2 member member|3 member member member)
10 HPEXPIRE key milliseconds [NX|XX|GT|LT] FIELDS (1 member|2 member member|3 member member member)
10 HEXPIREAT key unix-seconds [NX|XX|GT|LT] FIELDS (1 member|2 member member|3 member member member)
10 HPEXPIREAT key unix-milliseconds [NX|XX|GT|LT] FIELDS (1 member|2 member member|3 member member member)
3 HEXPIRE key (seconds|0|Bogus) {(NX|GT|LT|FIELDS count|member)}+
6 HTTL key FIELDS (1 member|2 member member)
6 HPTTL key FIELDS (1 member|2 member member)
6 HEXPIRETIME key FIELDS (1 member|2 member member)
6 HPEXPIRETIME key FIELDS (1 member|2 member member)
10 HPERSIST key FIELDS (1 member|2 member member)
2 HTTL key (FIELDS|Bogus) count {member}+
2 HPERSIST key (FIELDS|Bogus) count {member}+
3 HSCAN key cursor NOVALUES [MATCH pattern]
";
