//! Grammar of the bitmap commands.

pub const LINES: &str = "
20 SETBIT key bit (0|1|0|1|integer)
8 GETBIT key bit
8 BITCOUNT key [index index|index index (BYTE|BIT)]
10 BITPOS key (0|1|0|1|integer) [index|index index|index index (BYTE|BIT)]
10 BITOP (AND|OR|XOR) key {key}+
3 BITOP NOT key key
1 BITOP (NOT|NAND) key {key}+
10 BITFIELD key {(GET field place|SET field place integer|INCRBY field place integer|OVERFLOW (WRAP|SAT|FAIL))}+
4 BITFIELD key {OVERFLOW (SAT|FAIL) INCRBY field place integer}+
3 BITFIELD_RO key {GET field place}+
1 BITFIELD_RO key {(GET field place|SET field place integer|OVERFLOW SAT)}+
";
