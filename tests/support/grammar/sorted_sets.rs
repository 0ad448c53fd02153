//! Grammar of the sorted set commands. Ranges by bytes are asked of keys of their own, all of whose members have one score:
//! for others the reply is not specified. What waits has a short timeout, since nobody writes meanwhile.

pub const LINES: &str = "
40 ZADD key {score member}+
10 ZADD key [NX|XX] [GT|LT] [CH] {score member}+
4 ZADD key {(NX|XX|GT|LT|CH|INCR)}+ {score member}+
6 ZADD key [NX|XX|GT|LT] INCR score member
3 ZADD key {score value}+
14 ZINCRBY key score member
20 ZREM key {member}+
8 ZCARD key
12 ZSCORE key member
8 ZMSCORE key {member}+
8 ZRANK key member
8 ZREVRANK key member
10 ZCOUNT key score-end score-end
10 ZRANGE key index index [REV] [WITHSCORES]
10 ZRANGE key score-end score-end BYSCORE [REV] [LIMIT index count] [WITHSCORES]
3 ZRANGE key index index {(BYSCORE|BYLEX|REV|WITHSCORES|LIMIT index count|Bogus)}+
8 ZREVRANGE key index index [WITHSCORES]
8 ZRANGEBYSCORE key score-end score-end [WITHSCORES] [LIMIT index count]
8 ZREVRANGEBYSCORE key score-end score-end [WITHSCORES] [LIMIT index count]
8 ZRANGESTORE key key index index [REV]
6 ZRANGESTORE key key score-end score-end BYSCORE [REV] [LIMIT index count]
5 ZREMRANGEBYRANK key index index
4 ZREMRANGEBYSCORE key score-end score-end
5 ZPOPMIN key [count]
5 ZPOPMAX key [count]
4 ZMPOP (1 key|2 key key|3 key key key) (MIN|MAX) [COUNT count]
2 ZMPOP count key {(MIN|MAX|COUNT count|Bogus)}+
3 BZPOPMIN {key}+ 0.01
3 BZPOPMAX {key}+ 0.01
3 BZMPOP 0.01 (1 key|2 key key) (MIN|MAX) [COUNT count]
8 ZUNION (1 key|2 key key|3 key key key) [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
6 ZUNION 2 key key WEIGHTS score score [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
8 ZINTER (1 key|2 key key|3 key key key) [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
6 ZINTER 2 key key WEIGHTS score score [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
8 ZDIFF (1 key|2 key key|3 key key key) [WITHSCORES]
1 ZUNION count key {(WEIGHTS score|AGGREGATE SUM|AGGREGATE Bogus|WITHSCORES|LIMIT count)}+
1 ZINTER count key {(WEIGHTS score|AGGREGATE SUM|AGGREGATE Bogus|WITHSCORES|LIMIT count)}+
1 ZDIFF count key {(WEIGHTS score|AGGREGATE SUM|AGGREGATE Bogus|WITHSCORES|LIMIT count)}+
6 ZUNIONSTORE key (1 key|2 key key|3 key key key) [AGGREGATE (SUM|MIN|MAX)]
4 ZUNIONSTORE key 2 key key WEIGHTS score score
6 ZINTERSTORE key (1 key|2 key key|3 key key key) [AGGREGATE (SUM|MIN|MAX)]
4 ZDIFFSTORE key (1 key|2 key key|3 key key key)
6 ZINTERCARD (1 key|2 key key|3 key key key) [LIMIT count]
2 ZINTERCARD count key {(LIMIT count|Bogus)}+
4 ZRANDMEMBER key
6 ZRANDMEMBER key (0|1|5|-3|100|Bogus) [WITHSCORES|Bogus]
6 ZSCAN key cursor [MATCH pattern] [COUNT count]
2 ZSCAN key cursor {(MATCH pattern|COUNT count|TYPE ZSET|Bogus)}+
10 ZADD lex-key 0 member
10 ZADD lex-key 0 member 0 member 0 member
6 ZREM lex-key {member}+
6 ZLEXCOUNT lex-key member-end member-end
8 ZRANGE lex-key member-end member-end BYLEX [REV] [LIMIT index count]
6 ZRANGEBYLEX lex-key member-end member-end [LIMIT index count]
6 ZREVRANGEBYLEX lex-key member-end member-end [LIMIT index count]
3 ZREMRANGEBYLEX lex-key member-end member-end
4 ZRANGESTORE key lex-key member-end member-end BYLEX [LIMIT index count]
# Sets that are too large for a listpack; no member stands twice.
1 CONFIG SET ZSET-max-listpack-entries (16|128)
3 ZADD key 1 Aa 2 Bb 3 Cc 3.5 Dd 4 Ee 5 Ff 5 Gg 5 Hh 6 Ii 7 Jj 8 Kk 9 Ll -1 Mm -2 Nn -3 Oo 0.1 Pp
3 ZADD key 1 Qq 2 Rr 3 Ss 3.5 Tt 4 Uu 5 Vv 5 Ww 5 Xx 6 Yy 7 Zz 8 1 9 2 -1 3 -2 4 -3 5 0.1 6
2 ZADD lex-key 0 Aa 0 Bb 0 Cc 0 Dd 0 Ee 0 Ff 0 Gg 0 Hh 0 Ii 0 Jj 0 Kk 0 Ll 0 Mm 0 Nn 0 Oo 0 Pp
";
