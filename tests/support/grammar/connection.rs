//! Grammar of the commands on the connection itself. What closes a connection or leaves commands unanswered (QUIT, CLIENT
//! KILL, CLIENT REPLY, CLIENT PAUSE) is in the tables instead: here each command must have exactly one reply.

pub const LINES: &str = "
6 PING [value]
6 ECHO value
12 SELECT db
# SETNAME comes last, alone: 7.0 sets the name even if what follows is wrong, 7.2 and later only if all is right.
2 HELLO [2|3|4|0] [SETNAME name]
1 HELLO 3 [AUTH Default value]
1 RESET
1 AUTH [Default] value
2 CLIENT GETNAME
2 CLIENT SETNAME name
1 CLIENT ID
1 CLIENT NO-EVICT (ON|OFF|Bogus)
1 CLIENT UNPAUSE
1 CLIENT GETREDIR
1 CLIENT TRACKINGINFO
1 CLIENT UNBLOCK 0 [TIMEOUT|ERROR|Bogus]
1 CLIENT Bogus [value]
1 TIME
2 CONFIG GET (Databases|MAXMEMORY-policy|PROTO-max-bulk-len|Bogus)
1 CONFIG SET Bogus value
1 COMMAND GETKEYS GET key
1 COMMAND GETKEYS MSET {key value}+
2 BOGUS [value] [value]
";
