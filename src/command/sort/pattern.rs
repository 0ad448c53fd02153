//! The patterns of SORT's BY and GET: `w_*` is the key whose name has the element in the place of the star, `h_*->f` the field
//! `f` of a hash, `#` the element itself. For `sort` only.

use crate::command::context::Context;
use crate::command::string::reply_string;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::hash::Hash;

/// What is looked up for an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pattern<'a> {
    /// The element.
    Itself,
    /// Nothing: a fixed key would be the same for all elements.
    Fixed,
    /// A key, or a field of the hash that it holds.
    Key {
        /// The key's name before the element.
        before: &'a [u8],
        /// The key's name behind the element.
        behind: &'a [u8],
        /// The field of the hash.
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// Reads a pattern. Its star is looked for as in a C string.
    pub(super) fn new(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Itself;
        }
        let Some(star) = memchr::memchr2(b'*', 0, text).filter(|&at| text[at] == b'*') else { return Pattern::Fixed };
        let (before, behind) = (&text[..star], &text[star + 1..]);
        // An arrow with nothing behind it belongs to the name.
        match memchr::memmem::find(behind, b"->").filter(|&at| at + 2 < behind.len()) {
            Some(at) => Pattern::Key { before, behind: &behind[..at], field: Some(&behind[at + 2..]) },
            None => Pattern::Key { before, behind, field: None },
        }
    }

    /// Whether it leads to keys that depend on the elements.
    pub(super) fn names_keys(&self) -> bool {
        matches!(self, Pattern::Key { .. })
    }

    /// Shows what it leads to for an element; a key that is missing, or of another type, leads to nothing.
    pub(super) fn with_value<T>(
        &self,
        context: &mut Context<'_>,
        element: &[u8],
        show: impl FnOnce(Option<&[u8]>) -> T,
    ) -> T {
        let Pattern::Key { before, behind, field } = self else {
            return show(if *self == Pattern::Itself { Some(element) } else { None });
        };
        let name = [before, element, behind].concat();
        let key = context.keyspaces.key(&name);
        let (database, turn) = (context.database, context.turn);
        let Some(entry) = context.keyspaces.of(&key).read(database, &key, turn) else { return show(None) };
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        match field {
            None => show(entry.string_bytes(&mut scratch)),
            Some(field) => {
                let value = entry.collection::<Hash>().and_then(|hash| hash.get(field, turn.now_ms));
                show(value.map(|value| value.text(&mut scratch)))
            }
        }
    }

    /// Replies with what it leads to. A long string goes along by reference.
    pub(super) fn reply(&self, context: &mut Context<'_>, element: &[u8]) {
        if let Pattern::Key { before, behind, field: None } = self {
            let name = [before, element, behind].concat();
            let key = context.keyspaces.key(&name);
            let (database, turn) = (context.database, context.turn);
            let value = context.keyspaces.of(&key).read_string(database, &key, turn);
            // What is no string writes nothing.
            if value.is_none_or(|value| reply_string(context.reply, value).is_err()) {
                context.reply.null();
            }
            return;
        }
        let mut bulk = Vec::new();
        let found =
            self.with_value(context, element, |value| value.map(|value| bulk.extend_from_slice(value)).is_some());
        if found { context.reply.bulk(&bulk) } else { context.reply.null() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        const fn key<'a>(before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]>) -> Pattern<'a> {
            Pattern::Key { before, behind, field }
        }
        let table: &[(&[u8], Pattern<'_>)] = &[
            (b"#", Pattern::Itself),
            (b"##", Pattern::Fixed),
            (b"", Pattern::Fixed),
            (b"w", Pattern::Fixed),
            (b"w\0*", Pattern::Fixed),
            (b"w_*", key(b"w_", b"", None)),
            (b"*", key(b"", b"", None)),
            (b"a*b*c", key(b"a", b"b*c", None)),
            (b"h_*->f", key(b"h_", b"", Some(b"f"))),
            (b"h_*x->f->g", key(b"h_", b"x", Some(b"f->g"))),
            (b"h->f*", key(b"h->f", b"", None)),
            (b"h_*->", key(b"h_", b"->", None)),
            (b"h_*->->", key(b"h_", b"", Some(b"->"))),
        ];
        for (text, pattern) in table {
            assert_eq!(Pattern::new(text), *pattern, "{}", String::from_utf8_lossy(text));
        }
    }
}
