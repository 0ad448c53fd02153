//! INFO: one function per section over facts that are collected first. Every field of Redis 7.4 is there under its name,
//! with our value, or 0 (or "no", "ok") where what it counts does not exist in this server: forks, active defragmentation,
//! threads for I/O, buffers that the cron resizes, modules.
//!
//! A few fields mean the nearest thing: `eventloop_duration_sum` is the processor time of the process (its threads do
//! nothing but their loops), an `eventloop_cycle` is a turn of one core's loop, `allocator_active` and
//! `allocator_resident` are the resident memory that belongs to no file, `server_time_usec` is the turn's clock, which
//! counts milliseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering::Relaxed;

use crate::config::Config;
use crate::keyspace::KeyspaceCounters;
use crate::stats::core::{CommandCounters, CoreStats};
use crate::stats::memory;
use crate::stats::persistence::SaveKind;
use crate::stats::server::{REDIS_VERSION, RINGFORT_VERSION, ServerFacts};
use crate::stdx::limits::CRON_ROUNDS_PER_SECOND;

use super::context::Context;
use super::memory::Figures;
use super::table::{Row, TABLE};

/// A section: the names that ask for it, its heading, whether INFO without arguments shows it, and what writes it.
struct Section {
    names: &'static [&'static str],
    heading: &'static str,
    default: bool,
    write: fn(&mut Page, &Facts<'_>),
}

const fn section(names: &'static [&'static str], heading: &'static str, default: bool, write: fn(&mut Page, &Facts<'_>)) -> Section {
    Section { names, heading, default, write }
}

/// All sections in Redis' order.
const SECTIONS: &[Section] = &[
    section(&["server"], "Server", true, server),
    section(&["clients"], "Clients", true, clients),
    section(&["memory"], "Memory", true, memory_section),
    section(&["persistence"], "Persistence", true, persistence),
    section(&["stats"], "Stats", true, stats),
    section(&["replication"], "Replication", true, replication),
    section(&["cpu"], "CPU", true, cpu),
    section(&["modules", "module_list"], "Modules", true, |_, _| {}),
    section(&["commandstats"], "Commandstats", false, command_stats),
    section(&["errorstats"], "Errorstats", true, error_stats),
    section(&["latencystats"], "Latencystats", false, latency_stats),
    section(&["cluster"], "Cluster", true, |page, _| page.line("cluster_enabled", 0)),
    section(&["ringfort"], "Ringfort", true, ringfort),
    section(&["keyspace"], "Keyspace", true, keyspace),
];

/// One database over all shards.
#[derive(Clone, Copy, Default)]
struct DatabaseFacts {
    keys: usize,
    expires: usize,
    /// Keys whose hashes have fields that expire.
    field_expires: usize,
    /// Sum over the shards of average time to live times volatile keys.
    ttl_sum_ms: i128,
}

/// What the sections are made of.
struct Facts<'a> {
    server: &'a ServerFacts,
    config: &'a Config,
    now_ms: i64,
    databases: Vec<DatabaseFacts>,
    counters: KeyspaceCounters,
    table_bytes: usize,
    pending_objects: usize,
    freed_objects: u64,
    shards: usize,
    /// A number for each session that watches keys. One whose key was changed is not among them.
    watching: BTreeSet<usize>,
    watched_keys: usize,
    blocking_keys: usize,
    blocking_keys_without: usize,
}

/// The text as it grows.
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{name}:{value}\r\n");
    }

    fn zeros(&mut self, names: &[&str]) {
        for name in names {
            self.line(name, 0);
        }
    }

    /// A size, and under another name the same for people.
    fn size(&mut self, name: &str, bytes: u64) {
        self.line(name, bytes);
        let _ = write!(self.text, "{name}_human:{}\r\n", human(bytes));
    }
}

/// The text for the sections that the arguments name.
pub fn render(context: &mut Context<'_>) -> String {
    let args = context.args;
    let named: Vec<&[u8]> = args.iter_from(1).collect();
    let asks = |word: &str| named.iter().any(|name| name.eq_ignore_ascii_case(word.as_bytes()));
    let all = asks("all") || asks("everything");
    let default = named.is_empty() || asks("default");
    let facts = collect(context);
    let mut page = Page { text: String::new() };
    for section in SECTIONS {
        if all || (default && section.default) || section.names.iter().any(|name| asks(name)) {
            if !page.text.is_empty() {
                page.text.push_str("\r\n");
            }
            let _ = write!(page.text, "# {}\r\n", section.heading);
            (section.write)(&mut page, &facts);
        }
    }
    page.text
}

fn collect<'a>(context: &mut Context<'a>) -> Facts<'a> {
    let now_ms = context.turn.now_ms;
    let mut facts = Facts {
        server: context.server,
        config: context.config,
        now_ms,
        databases: Vec::new(),
        counters: KeyspaceCounters::default(),
        table_bytes: 0,
        pending_objects: 0,
        freed_objects: 0,
        shards: context.keyspaces.shards(),
        watching: BTreeSet::new(),
        watched_keys: 0,
        blocking_keys: 0,
        blocking_keys_without: 0,
    };
    for (_, keyspace) in context.keyspaces.all() {
        let counters = keyspace.counters;
        facts.counters.hits += counters.hits;
        facts.counters.misses += counters.misses;
        facts.counters.expired_keys += counters.expired_keys;
        facts.counters.evicted_keys += counters.evicted_keys;
        facts.counters.expired_fields += counters.expired_fields;
        facts.counters.changes += counters.changes;
        facts.counters.stale_share += counters.stale_share;
        facts.counters.expiry_cut_short += counters.expiry_cut_short;
        facts.counters.expiry_ns += counters.expiry_ns;
        facts.pending_objects += keyspace.graveyard.pending_objects();
        facts.freed_objects += keyspace.graveyard.freed_objects;
        if let Some(waiters) = &mut keyspace.waiters {
            waiters.sweep();
            facts.blocking_keys += waiters.keys_len();
            facts.blocking_keys_without += waiters.keys_without_len();
        }
        if let Some(watchers) = &mut keyspace.watchers {
            watchers.sweep();
            facts.watched_keys += watchers.keys_len();
            watchers.sessions(|session| {
                facts.watching.insert(session);
            });
        }
        facts.databases.resize(keyspace.databases_len(), DatabaseFacts::default());
        for (index, sum) in facts.databases.iter_mut().enumerate() {
            let average_ms = keyspace.average_ttl_ms(index as u32, now_ms);
            let database = keyspace.database(index as u32);
            sum.keys += database.len();
            sum.expires += database.expires_len();
            sum.field_expires += database.field_expires_len();
            sum.ttl_sum_ms += i128::from(average_ms) * database.expires_len() as i128;
            facts.table_bytes += database.table_bytes();
        }
    }
    facts
}

fn server(page: &mut Page, facts: &Facts<'_>) {
    let (server, config) = (facts.server, facts.config);
    let uptime_s = (facts.now_ms - server.started_ms).max(0) / 1000;
    page.line("redis_version", REDIS_VERSION);
    page.line("server_name", "ringfort");
    page.line("ringfort_version", RINGFORT_VERSION);
    page.line("redis_git_sha1", "00000000");
    page.line("redis_git_dirty", 0);
    page.line("redis_build_id", &server.build_id);
    page.line("redis_mode", "standalone");
    page.line("os", &server.machine);
    page.line("arch_bits", usize::BITS);
    page.line("monotonic_clock", "POSIX clock_gettime");
    page.line("multiplexing_api", server.multiplexing_api.split(' ').next().unwrap_or_default());
    page.line("atomicvar_api", "c11-builtin");
    page.line("gcc_version", "0.0.0");
    page.line("process_id", std::process::id());
    page.line("process_supervised", server.supervised);
    page.line("run_id", &server.run_id);
    let tcp_port = config.get_i64(crate::param!("port"));
    page.line("tcp_port", tcp_port);
    page.line("server_time_usec", facts.now_ms * 1000);
    page.line("uptime_in_seconds", uptime_s);
    page.line("uptime_in_days", uptime_s / (24 * 3600));
    page.line("hz", CRON_ROUNDS_PER_SECOND);
    page.line("configured_hz", config.get_i64(crate::param!("hz")));
    page.line("lru_clock", (facts.now_ms / 1000) & 0x00ff_ffff);
    page.line("executable", &server.executable);
    page.line("config_file", &server.config_file);
    page.line("io_threads_active", 0);
    // Redis numbers them by kind.
    if tcp_port != 0 {
        let binds: String =
            config.bind().map(|address| format!("bind={},", String::from_utf8_lossy(address))).collect();
        page.line("listener0", format_args!("name=tcp,{binds}port={tcp_port}"));
    }
    let unix_socket = config.get_str(crate::param!("unixsocket"));
    if !unix_socket.is_empty() {
        page.line("listener1", format_args!("name=unix,bind={unix_socket}"));
    }
}

fn clients(page: &mut Page, facts: &Facts<'_>) {
    page.line("connected_clients", facts.server.clients.load(Relaxed));
    page.line("cluster_connections", 0);
    page.line("maxclients", facts.config.get_i64(crate::param!("maxclients")));
    let largest = |of: fn(&CoreStats) -> u64| facts.server.cores.iter().map(of).max().unwrap_or(0);
    page.line("client_recent_max_input_buffer", largest(|core| core.client_input_bytes_max.get()));
    page.line("client_recent_max_output_buffer", largest(|core| core.client_output_bytes_max.get()));
    page.line("blocked_clients", facts.server.sum(|core| core.blocked.get()));
    page.line("tracking_clients", 0);
    page.line("pubsub_clients", facts.server.sum(|core| core.pubsub_clients.get()));
    page.line("watching_clients", facts.watching.len());
    page.line("clients_in_timeout_table", facts.server.sum(|core| core.timeouts.get()));
    page.line("total_watched_keys", facts.watched_keys);
    page.line("total_blocking_keys", facts.blocking_keys);
    page.line("total_blocking_keys_on_nokey", facts.blocking_keys_without);
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", part as f64 * 100.0 / whole.max(1) as f64)
}

fn memory_section(page: &mut Page, facts: &Facts<'_>) {
    let figures = Figures::of(facts.server, facts.table_bytes as u64);
    let Figures { used, peak, startup, clients, overhead, resident: rss, heap } = figures;
    page.size("used_memory", used);
    page.size("used_memory_rss", rss);
    page.size("used_memory_peak", peak);
    page.line("used_memory_peak_perc", percent(used, peak));
    page.line("used_memory_overhead", overhead);
    page.line("used_memory_startup", startup);
    page.line("used_memory_dataset", figures.dataset());
    page.line("used_memory_dataset_perc", percent(figures.dataset(), figures.net()));
    page.line("allocator_allocated", used);
    page.line("allocator_active", heap);
    page.line("allocator_resident", heap);
    page.line("allocator_muzzy", 0);
    page.size("total_system_memory", facts.server.system_memory_bytes);
    let scripts = &facts.server.scripts;
    let interpreters = facts.server.sum(|core| core.interpreter_bytes.get());
    let (scripts_bytes, libraries_bytes) = (scripts.scripts_bytes.load(Relaxed), scripts.libraries_bytes.load(Relaxed));
    // One interpreter per core runs scripts and functions.
    page.line("used_memory_lua", interpreters);
    page.line("used_memory_vm_eval", interpreters);
    page.line("used_memory_lua_human", human(interpreters));
    page.line("used_memory_scripts_eval", scripts_bytes);
    page.line("number_of_cached_scripts", scripts.scripts.load(Relaxed));
    page.line("number_of_functions", scripts.functions.load(Relaxed));
    page.line("number_of_libraries", scripts.libraries.load(Relaxed));
    page.line("used_memory_vm_functions", 0);
    page.size("used_memory_vm_total", interpreters);
    page.line("used_memory_functions", libraries_bytes);
    page.size("used_memory_scripts", scripts_bytes + libraries_bytes);
    page.size("maxmemory", facts.config.get_u64(crate::param!("maxmemory")));
    page.line("maxmemory_policy", facts.config.get_word(crate::param!("maxmemory-policy")));
    for (name, excess) in [
        ("allocator_frag", figures.allocator_fragmentation()),
        ("allocator_rss", figures.allocator_resident()),
        ("rss_overhead", figures.resident_overhead()),
        ("mem_fragmentation", figures.fragmentation()),
    ] {
        let _ = write!(page.text, "{name}_ratio:{:.2}\r\n", excess.ratio());
        let _ = write!(page.text, "{name}_bytes:{}\r\n", excess.bytes());
    }
    page.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    page.line("mem_clients_normal", clients);
    page.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    page.line("mem_allocator", memory::HEAP_NAME);
    page.zeros(&["mem_overhead_db_hashtable_rehashing", "active_defrag_running"]);
    page.line("lazyfree_pending_objects", facts.pending_objects);
    page.line("lazyfreed_objects", facts.freed_objects);
}

fn persistence(page: &mut Page, facts: &Facts<'_>) {
    let saves = &*facts.server.saves;
    let is_running = |kind| u8::from(saves.running() == kind);
    let running_s = |kind| match saves.running() == kind {
        true => (facts.now_ms - saves.started_ms.load(Relaxed)).max(0) / 1000,
        false => -1,
    };
    let status = |is_ok: bool| if is_ok { "ok" } else { "err" };
    let (written, total) = (saves.keys_written.load(Relaxed), saves.keys_total.load(Relaxed));
    page.line("loading", u8::from(saves.is_loading()));
    page.line("async_loading", 0);
    page.line("current_cow_peak", saves.copied_bytes_peak.load(Relaxed));
    page.line("current_cow_size", saves.copied_bytes.load(Relaxed));
    page.line("current_cow_size_age", 0);
    page.line("current_fork_perc", format_args!("{:.2}", written as f64 * 100.0 / total.max(1) as f64));
    page.line("current_save_keys_processed", written);
    page.line("current_save_keys_total", total);
    let changes = facts.counters.changes.saturating_sub(saves.changes_saved.load(Relaxed));
    page.line("rdb_changes_since_last_save", changes);
    page.line("rdb_bgsave_in_progress", is_running(SaveKind::Snapshot));
    page.line("rdb_last_save_time", saves.last_save_s.load(Relaxed));
    page.line("rdb_last_bgsave_status", status(saves.is_last_ok()));
    page.line("rdb_last_bgsave_time_sec", saves.last_duration_s.load(Relaxed));
    page.line("rdb_current_bgsave_time_sec", running_s(SaveKind::Snapshot));
    page.line("rdb_saves", saves.saves.load(Relaxed));
    page.line("rdb_last_cow_size", saves.last_copied_bytes.load(Relaxed));
    page.line("rdb_last_load_keys_expired", saves.last_load_expired.load(Relaxed));
    page.line("rdb_last_load_keys_loaded", saves.last_load_keys.load(Relaxed));
    log(page, facts);
    if saves.is_loading() {
        loading(page, facts);
    }
}

/// The append-only log.
fn log(page: &mut Page, facts: &Facts<'_>) {
    let log = &*facts.server.log;
    let started_ms = log.rewrite_started_ms.load(Relaxed);
    let is_enabled = log.enabled.load(Relaxed);
    let failures = log.rewrites_failed.load(Relaxed);
    let running_s = if started_ms == 0 { -1 } else { (facts.now_ms - started_ms).max(0) / 1000 };
    page.line("aof_enabled", u8::from(is_enabled));
    page.line("aof_rewrite_in_progress", u8::from(log.is_rewriting()));
    page.line("aof_rewrite_scheduled", u8::from(log.rewrite_scheduled.load(Relaxed)));
    page.line("aof_last_rewrite_time_sec", log.last_rewrite_s.load(Relaxed) - 1);
    page.line("aof_current_rewrite_time_sec", running_s);
    page.line("aof_last_bgrewrite_status", if failures == 0 { "ok" } else { "err" });
    page.line("aof_rewrites", log.rewrites.load(Relaxed));
    page.line("aof_rewrites_consecutive_failures", failures);
    page.line("aof_last_write_status", if log.failure().is_none() { "ok" } else { "err" });
    page.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if is_enabled {
        page.line("aof_current_size", log.bytes.load(Relaxed));
        page.line("aof_base_size", log.base_bytes.load(Relaxed));
        page.line("aof_pending_rewrite", 0);
        page.line("aof_buffer_length", log.buffer_bytes.load(Relaxed));
        page.line("aof_pending_bio_fsync", u8::from(log.syncing.load(Relaxed)));
        page.line("aof_delayed_fsync", log.delayed_syncs.load(Relaxed));
    }
}

fn loading(page: &mut Page, facts: &Facts<'_>) {
    let saves = &*facts.server.saves;
    let (loaded, total) = (saves.load_bytes.load(Relaxed), saves.load_bytes_total.load(Relaxed));
    let started_ms = saves.load_started_ms.load(Relaxed);
    let elapsed_s = ((facts.now_ms - started_ms).max(0) / 1000) as u64;
    page.line("loading_start_time", started_ms / 1000);
    page.line("loading_total_bytes", total);
    page.line("loading_rdb_used_mem", 0);
    page.line("loading_loaded_bytes", loaded);
    page.line("loading_loaded_perc", percent(loaded, total).trim_end_matches('%'));
    let left_s = total.saturating_sub(loaded) * elapsed_s.max(1) / loaded.max(1);
    page.line("loading_eta_seconds", if loaded == 0 { 1 } else { left_s });
}

fn stats(page: &mut Page, facts: &Facts<'_>) {
    let server = facts.server;
    let samples = &server.samples;
    let sum = |counter: fn(&CoreStats) -> u64| server.sum(counter);
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    page.line("total_connections_received", sum(|core| core.connections.get()));
    page.line("total_commands_processed", sum(|core| core.commands.get()));
    page.line("instantaneous_ops_per_sec", samples.commands_per_s.load(Relaxed));
    page.line("total_net_input_bytes", sum(|core| core.bytes_in.get()));
    page.line("total_net_output_bytes", sum(|core| core.bytes_out.get()));
    page.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    page.line("instantaneous_input_kbps", kilobytes(samples.bytes_in_per_s.load(Relaxed)));
    page.line("instantaneous_output_kbps", kilobytes(samples.bytes_out_per_s.load(Relaxed)));
    page.line("instantaneous_input_repl_kbps", "0.00");
    page.line("instantaneous_output_repl_kbps", "0.00");
    page.line("rejected_connections", server.rejected_connections.load(Relaxed));
    page.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    page.line("expired_subkeys", facts.counters.expired_fields);
    page.line("expired_keys", facts.counters.expired_keys);
    let stale_share = facts.counters.stale_share / facts.shards as f64;
    page.line("expired_stale_perc", format_args!("{:.2}", stale_share * 100.0));
    page.line("expired_time_cap_reached_count", facts.counters.expiry_cut_short);
    page.line("expire_cycle_cpu_milliseconds", facts.counters.expiry_ns / 1_000_000);
    page.line("evicted_keys", facts.counters.evicted_keys);
    page.zeros(&["evicted_clients"]);
    page.line("evicted_scripts", facts.server.scripts.evicted.load(Relaxed));
    let current_ms = match server.over_memory_since_ms.load(Relaxed) {
        0 => 0,
        since_ms => (facts.now_ms - since_ms).max(0),
    };
    page.line("total_eviction_exceeded_time", server.over_memory_ms.load(Relaxed) + current_ms);
    page.line("current_eviction_exceeded_time", current_ms);
    page.line("keyspace_hits", facts.counters.hits);
    page.line("keyspace_misses", facts.counters.misses);
    page.line("pubsub_channels", server.pubsub.channels.load(Relaxed));
    page.line("pubsub_patterns", server.pubsub.patterns.load(Relaxed));
    page.line("pubsubshard_channels", server.pubsub.shard_channels.load(Relaxed));
    page.zeros(&["latest_fork_usec", "total_forks"]);
    page.zeros(&["migrate_cached_sockets", "slave_expires_tracked_keys"]);
    page.zeros(&["active_defrag_hits", "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses"]);
    page.zeros(&["total_active_defrag_time", "current_active_defrag_time"]);
    page.zeros(&["tracking_total_keys", "tracking_total_items", "tracking_total_prefixes"]);
    page.line("unexpected_error_replies", 0);
    page.line("total_error_replies", sum(|core| core.errors.get()));
    page.line("dump_payload_sanitizations", 0);
    page.line("total_reads_processed", sum(|core| core.reads.get()));
    page.line("total_writes_processed", sum(|core| core.writes.get()));
    page.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    page.line("client_query_buffer_limit_disconnections", sum(|core| core.query_limit_disconnections.get()));
    page.line("client_output_buffer_limit_disconnections", sum(|core| core.output_limit_disconnections.get()));
    page.zeros(&["reply_buffer_shrinks", "reply_buffer_expands"]);
    page.line("eventloop_cycles", sum(|core| core.cycles.get()));
    page.line("eventloop_duration_sum", samples.cpu_us().saturating_sub(samples.cpu_at_reset_us.load(Relaxed)));
    let commands_ns = sum(|core| core.per_command.iter().map(|command| command.duration_ns.get()).sum());
    page.line("eventloop_duration_cmd_sum", commands_ns / 1000);
    page.line("instantaneous_eventloop_cycles_per_sec", samples.cycles_per_s.load(Relaxed));
    page.line("instantaneous_eventloop_duration_usec", samples.cycle_us.load(Relaxed));
    page.line("acl_access_denied_auth", server.auth_failures.load(Relaxed));
    page.line("acl_access_denied_cmd", server.denied_commands.load(Relaxed));
    page.line("acl_access_denied_key", server.denied_keys.load(Relaxed));
    page.line("acl_access_denied_channel", server.denied_channels.load(Relaxed));
}

fn replication(page: &mut Page, facts: &Facts<'_>) {
    page.line("role", "master");
    page.line("connected_slaves", 0);
    page.line("master_failover_state", "no-failover");
    page.line("master_replid", facts.server.replication_id());
    page.line("master_replid2", "0".repeat(40));
    page.line("master_repl_offset", 0);
    page.line("second_repl_offset", -1);
    page.line("repl_backlog_active", 0);
    page.line("repl_backlog_size", facts.config.get_i64(crate::param!("repl-backlog-size")));
    page.zeros(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

fn cpu(page: &mut Page, facts: &Facts<'_>) {
    let samples = &facts.server.samples;
    let seconds = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    page.line("used_cpu_sys", seconds(samples.cpu_system_us.load(Relaxed)));
    page.line("used_cpu_user", seconds(samples.cpu_user_us.load(Relaxed)));
    page.line("used_cpu_sys_children", seconds(0));
    page.line("used_cpu_user_children", seconds(0));
    page.line("used_cpu_sys_main_thread", seconds(samples.cpu_system_first_core_us.load(Relaxed)));
    page.line("used_cpu_user_main_thread", seconds(samples.cpu_user_first_core_us.load(Relaxed)));
}

fn command_stats(page: &mut Page, facts: &Facts<'_>) {
    for row in TABLE.visible_rows() {
        command_line(page, facts, row);
    }
}

fn latency_stats(page: &mut Page, facts: &Facts<'_>) {
    for row in TABLE.visible_rows() {
        let Some(latency) = super::latency::of_row(facts.server, row) else { continue };
        let percentiles: Vec<String> = (facts.config.percentiles().iter())
            .map(|&percentage| format!("p{percentage}={:.3}", latency.percentile_ns(percentage) as f64 / 1000.0))
            .collect();
        page.line(&["latency_percentiles_usec_", row.full_name].concat(), percentiles.join(","));
    }
}

fn command_line(page: &mut Page, facts: &Facts<'_>, row: &'static Row) {
    let sum = |counter: fn(&CommandCounters) -> u64| -> u64 {
        row.counted_with().map(|row| facts.server.sum(|core| counter(&core.per_command[row.id]))).sum()
    };
    let (calls, rejected, failed) =
        (sum(|row| row.calls.get()), sum(|row| row.rejected.get()), sum(|row| row.failed.get()));
    if calls == 0 && rejected == 0 && failed == 0 {
        return;
    }
    let us = sum(|row| row.duration_ns.get()) / 1000;
    let each = us as f64 / calls.max(1) as f64;
    page.line(
        &["cmdstat_", row.full_name].concat(),
        format_args!("calls={calls},usec={us},usec_per_call={each:.2},rejected_calls={rejected},failed_calls={failed}"),
    );
}

fn error_stats(page: &mut Page, facts: &Facts<'_>) {
    let mut kinds = BTreeMap::new();
    for core in &facts.server.cores {
        core.add_errors_to(&mut kinds);
    }
    for (kind, count) in kinds {
        // What would break the line apart is shown as Redis does.
        let kind: String = kind.chars().map(|c| if matches!(c, '#' | ':' | '\n' | '\r') { '_' } else { c }).collect();
        page.line(&["errorstat_", &kind].concat(), format_args!("count={count}"));
    }
}

fn ringfort(page: &mut Page, facts: &Facts<'_>) {
    page.line("shards", facts.server.cores.len());
    // Clients take commas for lists.
    page.line("driver", facts.server.multiplexing_api.replace(", ", " "));
    for (index, core) in facts.server.cores.iter().enumerate() {
        page.line(
            &format!("core{index}"),
            format_args!(
                "clients={},connections={},commands={},batches={},loans={},scatters={},scripts_anew={}",
                core.clients.get(),
                core.adopted.get(),
                core.commands.get(),
                core.batches.get(),
                core.loans.get(),
                core.scatters.get(),
                core.scripts_anew.get()
            ),
        );
    }
}

fn keyspace(page: &mut Page, facts: &Facts<'_>) {
    for (index, database) in facts.databases.iter().enumerate() {
        if database.keys == 0 {
            continue;
        }
        let average_ms = database.ttl_sum_ms / (database.expires.max(1) as i128);
        let DatabaseFacts { keys, expires, field_expires, .. } = database;
        page.line(
            &format!("db{index}"),
            format_args!("keys={keys},expires={expires},avg_ttl={average_ms},subexpiry={field_expires}"),
        );
    }
}

/// A size for people, as Redis prints it: "991.23K".
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let power = (bytes.ilog2() / 10).min(UNITS.len() as u32);
    format!("{:.2}{}", bytes as f64 / f64::from(1024u32).powi(power as i32), UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_015_024, "991.23K"),
            (25_276_502_016, "23.54G"),
            (u64::MAX, "16384.00P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
