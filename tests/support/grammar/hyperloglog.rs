//! Grammar of the HyperLogLog commands. Their keys are mostly their own, so that sketches grow; what other commands do to them
//! happens through single elements only: redis-server keeps a part of what it added before it met a fault.

pub const LINES: &str = "
14 PFADD sketch {value}+
4 PFADD sketch
6 PFADD sketch {value value value value value value value value}+
4 PFADD key value
8 PFCOUNT sketch
4 PFCOUNT {sketch}+
2 PFCOUNT {key}+
6 PFMERGE sketch {sketch}+
1 PFMERGE sketch
1 PFMERGE sketch {key}+
3 GET sketch
1 GETRANGE sketch index index
1 COPY sketch key [REPLACE]
2 PFDEBUG (ENCODING|DECODE|TODENSE|BOGUS) sketch
1 PFDEBUG (ENCODING|TODENSE) key
1 DEL sketch
";
