//! Grammar of the string commands.

pub const LINES: &str = "
40 SET key value [NX|XX] [GET] [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|KEEPTTL]
20 SET key value
# Options in any order and more than Redis allows.
6 SET key value {(NX|XX|GET|KEEPTTL|EX seconds|PX milliseconds|PXAT unix-milliseconds|PERSIST)}+
25 GET key
10 GETEX key [EX seconds|PX milliseconds|EXAT unix-seconds|PXAT unix-milliseconds|PERSIST]
6 GETDEL key
6 GETSET key value
8 SETNX key value
6 SETEX key seconds value
6 PSETEX key milliseconds value
12 MGET {key}+
10 MSET {key value}+
6 MSETNX {key value}+
15 APPEND key value
8 STRLEN key
12 SETRANGE key offset value
12 GETRANGE key index index
3 SUBSTR key index index
12 INCR key
8 DECR key
12 INCRBY key integer
8 DECRBY key integer
12 INCRBYFLOAT key float
4 LCS key key [LEN|IDX] [MINMATCHLEN count] [WITHMATCHLEN]
2 LCS key key {(LEN|IDX|MINMATCHLEN count|WITHMATCHLEN)}+
";
