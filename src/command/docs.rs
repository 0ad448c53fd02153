//! How COMMAND describes a row: the entry of COMMAND INFO and the map of COMMAND DOCS, in the shapes of Redis 7.4. For
//! `introspect` only. Names of flags and categories are simple strings, everything else bulk strings, as in Redis.

use crate::resp::reply::Reply;

use super::spec::{BeginSearch, Categories, FindKeys, Flags, KeySpec};
use super::syntax::{self, Argument, ArgumentType};
use super::table::Row;

fn text(reply: &mut Reply, text: &str) {
    reply.bulk(text.as_bytes());
}

fn field(reply: &mut Reply, name: &str, value: &str) {
    text(reply, name);
    text(reply, value);
}

fn number_field(reply: &mut Reply, name: &str, value: i64) {
    text(reply, name);
    reply.integer(value);
}

/// Flag names as a set of simple strings.
pub fn write_flag_names(reply: &mut Reply, names: &[&str]) {
    reply.set(names.len());
    names.iter().for_each(|name| reply.simple(name));
}

/// A row's entry in COMMAND and COMMAND INFO.
pub fn write_info(reply: &mut Reply, row: &'static Row) {
    reply.array(10);
    text(reply, row.full_name);
    reply.integer(row.command.arity.into());
    let flags: Vec<&str> =
        Flags::NAMES.iter().filter(|(flag, _)| row.flags.has(*flag)).map(|(_, name)| *name).collect();
    write_flag_names(reply, &flags);
    reply.integer(row.first_key as i64);
    reply.integer(row.last_key.into());
    reply.integer(row.key_step as i64);
    let categories = || Categories::NAMES.iter().filter(|(category, _)| row.categories.has(*category));
    reply.set(categories().count());
    categories().for_each(|(_, name)| reply.simple(&["@", name].concat()));
    reply.set(row.command.tips.len());
    row.command.tips.iter().for_each(|tip| text(reply, tip));
    reply.set(row.command.keys.len());
    row.command.keys.iter().for_each(|spec| write_key_spec(reply, spec));
    if row.visible_subcommands().is_empty() {
        reply.set(0);
    } else {
        reply.array(row.visible_subcommands().len());
        row.visible_subcommands().iter().for_each(|subcommand| write_info(reply, subcommand));
    }
}

fn write_key_spec(reply: &mut Reply, spec: &KeySpec) {
    let has_notes = !spec.notes.is_empty();
    reply.map(3 + usize::from(has_notes));
    if has_notes {
        field(reply, "notes", spec.notes);
    }
    text(reply, "flags");
    write_flag_names(reply, spec.flags);
    text(reply, "begin_search");
    match spec.begin {
        BeginSearch::Index(index) => {
            type_and_spec(reply, "index", 1);
            number_field(reply, "index", index as i64);
        }
        BeginSearch::Keyword(word, start_from) => {
            type_and_spec(reply, "keyword", 2);
            field(reply, "keyword", word);
            number_field(reply, "startfrom", start_from.into());
        }
        BeginSearch::Unknown => type_and_spec(reply, "unknown", 0),
    }
    text(reply, "find_keys");
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            type_and_spec(reply, "range", 3);
            number_field(reply, "lastkey", last.into());
            number_field(reply, "keystep", step as i64);
            number_field(reply, "limit", limit as i64);
        }
        FindKeys::KeyNumber { count_index, first_key, step } => {
            type_and_spec(reply, "keynum", 3);
            number_field(reply, "keynumidx", count_index as i64);
            number_field(reply, "firstkey", first_key as i64);
            number_field(reply, "keystep", step as i64);
        }
        FindKeys::Unknown => type_and_spec(reply, "unknown", 0),
    }
}

/// The map of one search, up to the fields of its `spec`.
fn type_and_spec(reply: &mut Reply, kind: &str, fields: usize) {
    reply.map(2);
    field(reply, "type", kind);
    text(reply, "spec");
    reply.map(fields);
}

/// A row's map in COMMAND DOCS.
pub fn write_docs(reply: &mut Reply, row: &'static Row) {
    let command = row.command;
    let arguments = syntax::parse(command.syntax).unwrap_or_default();
    let (deprecated_since, replaced_by) = command.deprecated.unwrap_or_default();
    let doc_flags: &[&str] = match (command.deprecated.is_some(), command.internal) {
        (false, false) => &[],
        (true, false) => &["deprecated"],
        (false, true) => &["syscmd"],
        (true, true) => &["deprecated", "syscmd"],
    };
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group),
        ("complexity", command.complexity),
    ];
    let replacement = [("deprecated_since", deprecated_since), ("replaced_by", replaced_by)];
    let filled = |fields: &[(&str, &str)]| fields.iter().filter(|(_, value)| !value.is_empty()).count();
    let subcommands = row.visible_subcommands();
    let lists = [doc_flags.len(), command.history.len(), arguments.len(), subcommands.len()];
    let fields = filled(&texts) + filled(&replacement) + lists.iter().filter(|&&length| length > 0).count();
    let write_fields = |reply: &mut Reply, fields: &[(&str, &str)]| {
        fields.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| field(reply, name, value));
    };
    reply.map(fields);
    write_fields(reply, &texts);
    if !doc_flags.is_empty() {
        text(reply, "doc_flags");
        write_flag_names(reply, doc_flags);
    }
    write_fields(reply, &replacement);
    if !command.history.is_empty() {
        text(reply, "history");
        reply.set(command.history.len());
        for (version, change) in command.history {
            reply.array(2);
            text(reply, version);
            text(reply, change);
        }
    }
    if !arguments.is_empty() {
        text(reply, "arguments");
        write_arguments(reply, &arguments);
    }
    if !subcommands.is_empty() {
        text(reply, "subcommands");
        reply.map(subcommands.len());
        for subcommand in subcommands {
            text(reply, subcommand.full_name);
            write_docs(reply, subcommand);
        }
    }
}

fn write_arguments(reply: &mut Reply, arguments: &[Argument<'_>]) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| write_argument(reply, argument));
}

fn write_argument(reply: &mut Reply, argument: &Argument<'_>) {
    let has_arguments = matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block);
    let display = (!has_arguments).then(|| argument.display.unwrap_or(&argument.name));
    let texts = [("token", argument.token), ("since", argument.since), ("deprecated_since", argument.deprecated_since)];
    let flags: Vec<&str> =
        [("optional", argument.optional), ("multiple", argument.multiple), ("multiple_token", argument.multiple_token)]
            .into_iter()
            .filter_map(|(name, set)| set.then_some(name))
            .collect();
    // Name, type, and one of display text and arguments are always there.
    let optional = [argument.key_spec.is_some(), !flags.is_empty()].into_iter().filter(|&there| there).count();
    reply.map(3 + optional + texts.iter().filter(|(_, value)| value.is_some()).count());
    field(reply, "name", &argument.name);
    field(reply, "type", argument.kind.name());
    if let Some(display) = display {
        field(reply, "display_text", display);
    }
    if let Some(index) = argument.key_spec {
        number_field(reply, "key_spec_index", index as i64);
    }
    for (name, value) in texts {
        if let Some(value) = value {
            field(reply, name, value);
        }
    }
    if !flags.is_empty() {
        text(reply, "flags");
        write_flag_names(reply, &flags);
    }
    if has_arguments {
        text(reply, "arguments");
        write_arguments(reply, &argument.arguments);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table::TABLE;
    use crate::resp::reply::Protocol;

    fn written(protocol: Protocol, name: &str, write: fn(&mut Reply, &'static Row)) -> String {
        let mut reply = Reply::new(protocol);
        write(&mut reply, TABLE.find_full(name.as_bytes()).expect("the row is there"));
        String::from_utf8_lossy(reply.bytes()).replace("\r\n", " ")
    }

    /// The bytes stock Redis 7.0 sends.
    #[test]
    fn info_in_both_protocols() {
        assert_eq!(
            written(Protocol::Resp3, "get", write_info),
            "*10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~1 %3 $5 flags ~2 +RO +access $12 \
             begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 $9 find_keys %2 $4 type $5 range $4 spec %3 $7 lastkey :0 \
             $7 keystep :1 $5 limit :0 ~0 "
        );
        assert_eq!(
            written(Protocol::Resp2, "object|freq", write_info),
            "*10 $11 object|freq :3 *1 +readonly :2 :2 :1 *3 +@keyspace +@read +@slow *1 $23 nondeterministic_output *1 *6 $5 \
             flags *1 +RO $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :2 $9 find_keys *4 $4 type $5 range $4 spec *6 \
             $7 lastkey :0 $7 keystep :1 $5 limit :0 *0 "
        );
    }

    #[test]
    fn docs_in_resp3() {
        let docs = written(Protocol::Resp3, "command|list", write_docs);
        let arguments = docs.split_once("$9 arguments ").expect("it has arguments").1;
        assert_eq!(
            arguments,
            "*1 %5 $4 name $8 filterby $4 type $5 oneof $5 token $8 FILTERBY $5 flags ~1 +optional $9 arguments *3 \
             %4 $4 name $11 module-name $4 type $6 string $12 display_text $11 module-name $5 token $6 MODULE \
             %4 $4 name $8 category $4 type $6 string $12 display_text $8 category $5 token $6 ACLCAT \
             %4 $4 name $7 pattern $4 type $7 pattern $12 display_text $7 pattern $5 token $7 PATTERN "
        );
        assert!(docs.starts_with("%5 $7 summary "), "{docs}");
        let quit = written(Protocol::Resp3, "quit", write_docs);
        assert!(quit.contains("$9 doc_flags ~1 +deprecated $16 deprecated_since $5 7.2.0 $11 replaced_by "), "{quit}");
        let container = written(Protocol::Resp3, "command", write_docs);
        assert!(container.contains("$11 subcommands %7 $13 command|count %"), "{container}");
    }
}
