//! Grammar of the list commands. Blocking forms are here with lists that have elements or with timeouts that end at once.

pub const LINES: &str = "
30 RPUSH key {value}+
25 LPUSH key {value}+
5 RPUSHX key {value}+
5 LPUSHX key {value}+
12 LPOP key [count]
12 RPOP key [count]
8 LLEN key
12 LINDEX key index
16 LRANGE key index index
12 LSET key index value
12 LINSERT key (BEFORE|AFTER|Beside) value value
# No smallest integer as LREM's count, LPOS' rank: 7.0 takes it for what it is not.
8 LREM key (count|-1|-2|-5|-9223372036854775807|Bogus) value
5 LTRIM key index index
8 LPOS key value [RANK (count|-1|-2|-5)] [COUNT count] [MAXLEN count]
3 LPOS key value {(RANK (count|-1|-2|-5)|COUNT count|MAXLEN count|Bogus)}+
8 LMOVE key key (LEFT|RIGHT) (LEFT|RIGHT)
1 LMOVE key key (LEFT|UP) (RIGHT|UP)
6 RPOPLPUSH key key
4 LMPOP 1 key (LEFT|RIGHT) [COUNT count]
4 LMPOP 2 key key (LEFT|RIGHT) [COUNT count]
1 LMPOP count key (LEFT|UP) [COUNT count] [Bogus]
3 BLPOP {key}+ 0.001
3 BRPOP {key}+ 0.001
2 BLMPOP 0.001 2 key key (LEFT|RIGHT) [COUNT count]
2 BLMOVE key key (LEFT|RIGHT) (LEFT|RIGHT) 0.001
2 BRPOPLPUSH key key 0.001
";
