//! Tests of CONFIG GET, SET and REWRITE, as tables.

