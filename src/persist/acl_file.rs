//! The file with the users (`aclfile`): read whole at the start and by ACL LOAD, replaced whole by ACL SAVE. What stands in
//! it is for `command/acl`.

use std::io;
use std::path::Path;

use crate::config::rewrite::replace_file;

/// Its content; the error is the system's text.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| {
        let text = error.to_string();
        text.rfind(" (os error ").map_or(text.clone(), |end| text[..end].to_owned())
    })
}

/// Replaces it, so that a crash leaves the old content or the new one.
///
/// # Errors
/// When the system refuses.
pub fn replace(path: &Path, lines: &[Vec<u8>]) -> io::Result<()> {
    let mut content = lines.join(&b'\n');
    content.push(b'\n');
    replace_file(path, &content)
}
