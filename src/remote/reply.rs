//! Replies as the types that callers want.

use super::error::{Error, ServerError};
use crate::resp::response::Value;
use crate::stdx::number::parse_i64;

/// A type that some replies can be turned into. Error replies become `Error::Server`, others `Error::Unexpected`.
pub trait FromReply: Sized {
    /// The reply as this type.
    ///
    /// # Errors
    /// When the reply is an error or of another type.
    fn from_reply(reply: Value) -> Result<Self, Error>;
}

/// An error reply as an error; attributes are dropped.
pub(super) fn checked(reply: Value) -> Result<Value, Error> {
    match reply {
        Value::Error(text) => Err(Error::Server(ServerError::new(text))),
        Value::Attributed(_, inner) => checked(*inner),
        other => Ok(other),
    }
}

impl FromReply for Value {
    fn from_reply(reply: Value) -> Result<Value, Error> {
        checked(reply)
    }
}

/// Any reply that is no error.
impl FromReply for () {
    fn from_reply(reply: Value) -> Result<(), Error> {
        checked(reply).map(|_| ())
    }
}

impl FromReply for Option<Vec<u8>> {
    fn from_reply(reply: Value) -> Result<Option<Vec<u8>>, Error> {
        match checked(reply)? {
            Value::Null | Value::NullArray => Ok(None),
            Value::Bulk(bytes) | Value::Simple(bytes) | Value::Verbatim(_, bytes) => Ok(Some(bytes)),
            other => Err(Error::Unexpected(other)),
        }
    }
}

impl FromReply for Vec<u8> {
    fn from_reply(reply: Value) -> Result<Vec<u8>, Error> {
        Option::<Vec<u8>>::from_reply(reply)?.ok_or(Error::Unexpected(Value::Null))
    }
}

/// Bytes that are not UTF-8 are replaced.
impl FromReply for String {
    fn from_reply(reply: Value) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&Vec::<u8>::from_reply(reply)?).into_owned())
    }
}

impl FromReply for i64 {
    fn from_reply(reply: Value) -> Result<i64, Error> {
        match checked(reply)? {
            Value::Integer(number) => Ok(number),
            Value::Boolean(truth) => Ok(i64::from(truth)),
            Value::Bulk(text) | Value::Simple(text) => parse_i64(&text).ok_or(Error::Unexpected(Value::Bulk(text))),
            other => Err(Error::Unexpected(other)),
        }
    }
}

impl FromReply for bool {
    fn from_reply(reply: Value) -> Result<bool, Error> {
        match checked(reply)? {
            Value::Simple(text) if text == b"OK" => Ok(true),
            Value::Null => Ok(false),
            other => i64::from_reply(other).map(|number| number != 0),
        }
    }
}

impl FromReply for f64 {
    fn from_reply(reply: Value) -> Result<f64, Error> {
        match checked(reply)? {
            Value::Double(number) => Ok(number),
            Value::Integer(number) => Ok(number as f64),
            Value::Bulk(text) => {
                let number = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
                number.ok_or(Error::Unexpected(Value::Bulk(text)))
            }
            other => Err(Error::Unexpected(other)),
        }
    }
}

/// Arrays, sets, and the keys and values of maps one after the other.
impl<T: FromReply> FromReply for Vec<T>
where
    Vec<T>: NotBytes,
{
    fn from_reply(reply: Value) -> Result<Vec<T>, Error> {
        let values = match checked(reply)? {
            Value::Array(values) | Value::Set(values) | Value::Push(values) => values,
            Value::Map(pairs) => pairs.into_iter().flat_map(|(key, value)| [key, value]).collect(),
            Value::Null | Value::NullArray => Vec::new(),
            other => return Err(Error::Unexpected(other)),
        };
        values.into_iter().map(T::from_reply).collect()
    }
}

/// Lists that are not the bytes of one string.
pub trait NotBytes {}
impl NotBytes for Vec<Value> {}
impl NotBytes for Vec<Option<Vec<u8>>> {}
impl NotBytes for Vec<Vec<u8>> {}
impl NotBytes for Vec<String> {}
impl NotBytes for Vec<i64> {}
impl NotBytes for Vec<f64> {}
impl NotBytes for Vec<bool> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_become_types() {
        let bulk = |text: &str| Value::Bulk(text.as_bytes().to_vec());
        assert_eq!(i64::from_reply(Value::Integer(7)).expect("number"), 7);
        assert_eq!(i64::from_reply(bulk("-7")).expect("number"), -7);
        assert!(matches!(i64::from_reply(bulk("x")), Err(Error::Unexpected(_))));
        assert_eq!(f64::from_reply(bulk("1.5")).expect("number"), 1.5);
        assert_eq!(f64::from_reply(Value::Double(1.5)).expect("number"), 1.5);
        assert!(bool::from_reply(Value::Simple(b"OK".to_vec())).expect("truth"));
        assert!(!bool::from_reply(Value::Integer(0)).expect("truth"));
        assert_eq!(Option::<Vec<u8>>::from_reply(Value::Null).expect("null"), None);
        assert_eq!(String::from_reply(bulk("a")).expect("text"), "a");
        assert!(matches!(String::from_reply(Value::Null), Err(Error::Unexpected(_))));
        let pairs = Value::Map(vec![(bulk("a"), bulk("1"))]);
        assert_eq!(Vec::<String>::from_reply(pairs).expect("list"), ["a", "1"]);
        assert_eq!(Vec::<Option<Vec<u8>>>::from_reply(Value::Array(vec![Value::Null])).expect("list"), [None]);
        let error = Value::Error(b"WRONGTYPE no".to_vec());
        let Err(Error::Server(error)) = <()>::from_reply(error) else { panic!("an error stays an error") };
        assert_eq!((error.code(), error.text().as_ref()), ("WRONGTYPE", "WRONGTYPE no"));
    }
}
