//! Grammar of SORT. Left out is what has no certain order: sets that are not sorted, and elements whose texts to sort by are
//! equal, so sorting by other keys; and sorting by number: redis-server does not clear `errno` first, and fails when an earlier
//! command met a number out of range. `tests/sort_by_number.rs` does that; the tables and the Tcl suite have both.

pub const LINES: &str = "
6 RPUSH numbers {index}+
2 SADD numbers {index}+
2 ZADD numbers {score index}+
2 LPOP numbers
1 DEL numbers
3 SET weight index
8 SORT numbers [LIMIT index index] [ASC|DESC] ALPHA [GET sort-pattern] [STORE key]
4 SORT key ALPHA [LIMIT index index] [ASC|DESC] [GET sort-pattern] [GET sort-pattern] [STORE key]
2 SORT key BY NOSORT [LIMIT index index] [ASC|DESC] STORE key
3 SORT_RO numbers [LIMIT index index] [GET sort-pattern] [ASC|DESC] ALPHA
1 SORT_RO key ALPHA {(ALPHA|DESC|LIMIT index|STORE key)}+
1 SORT key ALPHA {(ALPHA|DESC|LIMIT index index|STORE key|GET|BOGUS)}+
";
