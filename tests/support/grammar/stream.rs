//! Grammar of the stream commands. IDs are explicit, so that both servers agree on them. What tells times that entries were
//! read at (XINFO CONSUMERS, XINFO STREAM FULL) and what waits is in the tables instead.

pub const LINES: &str = "
60 XADD stream-key new-id {value value}+
6 XADD stream-key [NOMKSTREAM] (MAXLEN|MAXLEN =|MAXLEN ~) stream-length [LIMIT count] new-id {value value}+
6 XADD stream-key (MINID|MINID =|MINID ~) stream-id [LIMIT count] [NOMKSTREAM] new-id {value value}+
3 XADD stream-key {(NOMKSTREAM|MAXLEN stream-length|MINID ~ stream-id|LIMIT count)}+ new-id value value
8 XLEN stream-key
12 XRANGE stream-key stream-bound stream-bound [COUNT count]
12 XREVRANGE stream-key stream-bound stream-bound [COUNT count]
12 XDEL stream-key {stream-id}+
6 XTRIM stream-key (MAXLEN|MAXLEN =|MAXLEN ~) stream-length [LIMIT count]
6 XTRIM stream-key (MINID|MINID =|MINID ~) stream-id [LIMIT count]
2 XTRIM stream-key {(MAXLEN ~ stream-length|MINID stream-id|LIMIT count)}+
4 XSETID stream-key top-id [ENTRIESADDED count] [MAXDELETEDID stream-id]
12 XREAD [COUNT count] STREAMS stream-key (stream-id|$)
8 XREAD [COUNT count] STREAMS stream-key stream-key stream-id (stream-id|$)
2 XREAD {(COUNT count|NOACK|GROUP G1 C1)}+ STREAMS stream-key stream-key stream-id
14 XGROUP CREATE stream-key (G1|G2) (stream-id|$|0) [MKSTREAM] [ENTRIESREAD count]
4 XGROUP SETID stream-key (G1|G2) (stream-bound|$) [ENTRIESREAD count]
2 XGROUP DESTROY stream-key (G1|G2)
5 XGROUP CREATECONSUMER stream-key (G1|G2) (C1|C2|C3)
3 XGROUP DELCONSUMER stream-key (G1|G2) (C1|C2|C3)
1 XGROUP Bogus stream-key
30 XREADGROUP GROUP (G1|G2) (C1|C2|C3) [COUNT count] [NOACK] STREAMS stream-key (>|>|stream-id)
8 XREADGROUP GROUP (G1|G2) (C1|C2|C3) [COUNT count] STREAMS stream-key stream-key (>|stream-id) (>|stream-id|$)
2 XREADGROUP [COUNT count] GROUP Streams (C1|C2) [NOACK] STREAMS stream-key >
14 XACK stream-key (G1|G2) {stream-id}+
8 XPENDING stream-key (G1|G2)
10 XPENDING stream-key (G1|G2) [IDLE idle-time] stream-bound stream-bound count [C1|C2|C3]
12 XCLAIM stream-key (G1|G2) (C1|C2|C3) idle-time {stream-id}+ [IDLE count] [TIME unix-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID stream-id]
10 XAUTOCLAIM stream-key (G1|G2) (C1|C2|C3) idle-time stream-bound [COUNT count] [JUSTID]
6 XINFO STREAM stream-key
6 XINFO GROUPS stream-key
1 XINFO Bogus stream-key
6 DEL stream-key
3 COPY stream-key stream-key [REPLACE]
2 RENAME stream-key stream-key
";
