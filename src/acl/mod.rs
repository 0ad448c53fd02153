//! Who may do what: users, their passwords, their selectors, and the log of what was denied.
//!
//! Pure data, without the table of commands: a command is a number here (`Row::access_id`). `command/acl` reads the rules
//! that people write, and checks requests.
//!
//! How a check costs nothing: a session keeps an `Arc` of its user beside one flag, "restricted", which is false for the
//! default user of a server that nobody has told otherwise. A user never changes; a change makes a new one and moves the
//! generation of `Users`, which every core looks at once per turn, beside that of the configuration. So the lock in
//! `Users` is taken by ACL commands, by AUTH, by a new connection, and by each core once after a change: never by a
//! command that runs.

pub mod log;
pub mod password;
pub mod selector;
pub mod user;
pub mod users;

pub use selector::{Access, CommandSet, Selector};
pub use user::User;
pub use users::Users;
