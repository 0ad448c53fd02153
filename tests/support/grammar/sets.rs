//! Grammar of the set commands. SPOP is drawn only where it takes all or nothing, lest the two servers part ways.

pub const LINES: &str = "
30 SADD key {member}+
12 SADD key {integer}+
6 SADD key {value}+
20 SREM key {member}+
10 SCARD key
10 SISMEMBER key member
8 SMISMEMBER key {member}+
10 SMEMBERS key
14 SMOVE key key member
4 SPOP key 1000
2 SPOP key (0|-1|Bogus|9223372036854775808|1 2)
8 SRANDMEMBER key
8 SRANDMEMBER key count
2 SRANDMEMBER key (-9223372036854775808|-7|Bogus|1 2)
8 SINTER {key}+
8 SINTERSTORE key {key}+
8 SUNION {key}+
8 SUNIONSTORE key {key}+
8 SDIFF {key}+
8 SDIFFSTORE key {key}+
6 SINTERCARD (1|2|3) {key}+ [LIMIT count]
2 SINTERCARD count {key}+ {(LIMIT count|Bogus)}+
6 SSCAN key cursor [MATCH pattern] [COUNT count]
2 SSCAN key cursor {(MATCH pattern|COUNT count|TYPE SET|Bogus)}+
# Sets that are large enough for a table, or for an intset of every width.
2 SADD key 1 2 3 4 5 6 7 8 9 10 -1 -2 -3 100000 200000 3000000000 -3000000000 9223372036854775807
2 SADD key Aa Bb Cc Dd Ee Ff Gg Hh Ii Jj Kk Ll Mm Nn Oo Pp Qq Rr Ss Tt 1 2 3 4 5 6 7 8 9
";
