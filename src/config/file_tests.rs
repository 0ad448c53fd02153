//! Tests of the configuration file and the command line, as tables.

