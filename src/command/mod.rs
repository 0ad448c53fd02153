//! TODO(module docs)
