//! Grammar of the geo commands, on keys of their own: small scores would be places a few centimeters apart, and among equally
//! distant members redis-server's order is left to chance. Results may be stored anywhere.

pub const LINES: &str = "
20 GEOADD geo-key longitude latitude member
10 GEOADD geo-key [NX|XX] [CH] {longitude latitude member}+
3 GEOADD geo-key {(NX|XX|CH|Bogus)}+ {longitude latitude member}+
4 GEOADD key longitude latitude member
4 ZREM geo-key {member}+
4 ZRANGE geo-key 0 -1 WITHSCORES
8 GEOPOS geo-key {member}+
4 GEOPOS key {member}+
6 GEOHASH geo-key {member}+
2 GEOHASH key {member}+
8 GEODIST geo-key member member [(M|KM|FT|MI|Bogus)]
8 GEORADIUS geo-key longitude latitude radius (M|KM|KM|FT|MI) [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count] (ASC|DESC)
6 GEORADIUS geo-key longitude latitude radius KM [WITHCOORD] [WITHDIST] [WITHHASH]
6 GEORADIUS geo-key longitude latitude radius KM [COUNT count ANY] [ASC|DESC]
3 GEORADIUS geo-key longitude latitude radius KM {(WITHCOORD|WITHDIST|WITHHASH|COUNT count|ANY|ASC|DESC|Bogus)}+
4 GEORADIUS geo-key longitude latitude radius KM [COUNT count] (STORE key|STOREDIST key)
4 GEORADIUS_RO geo-key longitude latitude radius KM [ASC|DESC]
6 GEORADIUSBYMEMBER geo-key member radius (M|KM|KM|FT|MI) [WITHCOORD] [WITHDIST] [COUNT count] (ASC|DESC)
4 GEORADIUSBYMEMBER geo-key member radius KM [COUNT count] (STORE key|STOREDIST key)
3 GEORADIUSBYMEMBER_RO geo-key member radius KM [WITHDIST] [ASC|DESC]
8 GEOSEARCH geo-key FROMLONLAT longitude latitude BYRADIUS radius (M|KM|KM|FT|MI) [WITHCOORD] [WITHDIST] [COUNT count] (ASC|DESC)
8 GEOSEARCH geo-key FROMLONLAT longitude latitude BYBOX radius radius (M|KM|KM|FT|MI) [WITHDIST] [COUNT count] (ASC|DESC)
6 GEOSEARCH geo-key FROMMEMBER member BYBOX radius radius KM [WITHDIST] [WITHHASH]
6 GEOSEARCH geo-key FROMMEMBER member BYRADIUS radius KM [COUNT count ANY]
3 GEOSEARCH geo-key FROMMEMBER member BYRADIUS 9 KM {(FROMMEMBER member|FROMLONLAT longitude latitude|BYRADIUS radius KM|BYBOX radius radius KM|ASC|COUNT count|Bogus)}+
5 GEOSEARCHSTORE key geo-key FROMLONLAT longitude latitude BYRADIUS radius KM [COUNT count] [STOREDIST]
3 GEOSEARCHSTORE key geo-key FROMMEMBER member BYBOX radius radius KM [DESC] [STOREDIST]
2 GEOSEARCHSTORE key geo-key FROMMEMBER member BYRADIUS 9 KM {(FROMMEMBER member|FROMLONLAT longitude latitude|BYRADIUS radius KM|STOREDIST|WITHDIST)}+
";
