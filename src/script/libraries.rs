//! The catalogue of function libraries: by name, and by the names of their functions, which are unique over all libraries
//! and do not heed case. Adding a library takes no more time with many than with few.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::ScriptFlags;

/// A function of a library, as its library registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// What FCALL calls it.
    pub name: Vec<u8>,
    /// For people.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: ScriptFlags,
}

/// A function library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// Its name.
    pub name: Vec<u8>,
    /// The source, metadata line included.
    pub code: Bytes,
    /// In the order of their names.
    pub functions: Vec<Function>,
}

/// See the file's head.
#[derive(Clone, Default, Debug)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// For each function, in lower case, its library.
    functions: BTreeMap<Vec<u8>, Arc<Library>>,
    code_bytes: usize,
}

/// The name of a function that another library has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionTaken(pub Vec<u8>);

impl Libraries {
    /// Number of libraries.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Number of functions.
    pub fn functions_len(&self) -> usize {
        self.functions.len()
    }

    /// Bytes of all sources.
    pub fn code_bytes(&self) -> usize {
        self.code_bytes
    }

    /// There is a library of this name.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// The library of a function, whose name is given in lower case.
    pub fn of_function(&self, lower_case: &[u8]) -> Option<&Arc<Library>> {
        self.functions.get(lower_case)
    }

    /// Adds a library, in the place of another of its name. Changes nothing if a third one has one of its functions.
    pub fn put(&mut self, library: Arc<Library>) -> Result<(), FunctionTaken> {
        let is_taken = |function: &&Function| {
            let other = self.functions.get(&function.name.to_ascii_lowercase());
            other.is_some_and(|other| other.name != library.name)
        };
        if let Some(function) = library.functions.iter().find(is_taken) {
            return Err(FunctionTaken(function.name.clone()));
        }
        self.remove(&library.name);
        for function in &library.functions {
            self.functions.insert(function.name.to_ascii_lowercase(), library.clone());
        }
        self.code_bytes += library.code.len();
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// Removes a library; false: there is none of this name.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else { return false };
        for function in &library.functions {
            self.functions.remove(&function.name.to_ascii_lowercase());
        }
        self.code_bytes -= library.code.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(name: &str, functions: &[&str]) -> Arc<Library> {
        let function =
            |name: &&str| Function { name: name.as_bytes().to_vec(), description: None, flags: ScriptFlags::DECLARED };
        let functions = functions.iter().map(function).collect();
        Arc::new(Library { name: name.into(), code: Bytes::from_static(b"code"), functions })
    }

    #[test]
    fn functions_are_unique_whatever_their_case() {
        let mut libraries = Libraries::default();
        assert_eq!(libraries.put(library("a", &["one", "two"])), Ok(()));
        assert_eq!(libraries.put(library("b", &["three", "ONE"])), Err(FunctionTaken(b"ONE".to_vec())));
        assert_eq!((libraries.len(), libraries.functions_len(), libraries.code_bytes()), (1, 2, 4));
        assert_eq!(libraries.put(library("a", &["One", "four"])), Ok(()), "its own functions are replaced");
        assert!(libraries.of_function(b"two").is_none());
        assert_eq!(libraries.of_function(b"one").map(|library| &library.name[..]), Some(&b"a"[..]));
        assert_eq!(libraries.put(library("b", &["two"])), Ok(()));
        assert!(libraries.remove(b"a") && !libraries.remove(b"a"));
        assert_eq!((libraries.len(), libraries.functions_len(), libraries.code_bytes()), (1, 1, 4));
    }
}
