//! The rows, texts and files held against a stock redis-server 7.0.

