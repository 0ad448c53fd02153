//! A world comes to rest: everything is done and put away, or it says what is not.

use std::sync::atomic::Ordering;

use crate::runtime::shelf::PutResult;

use super::schedule::Ghosts;
use super::{Reader, World};

/// Steps after which a world that gets no new input must have come to rest.
const REST_STEPS_MAX: usize = 1_000_000;
/// Pauses that clients who are paused may have asked for.
const PAUSES_MAX: usize = 10_000;

impl World {
    fn come_to_rest(&mut self) -> Result<(), String> {
        for _ in 0..REST_STEPS_MAX {
            if !self.step_with(Ghosts::Leave)? {
                return Ok(());
            }
        }
        Err("the world does not come to rest".to_string())
    }

    /// Goes on, without new ghosts, until nothing can happen and no client is paused; then everything must be done and
    /// put away. Says what is not.
    pub fn rest(&mut self) -> Result<(), String> {
        self.come_to_rest()?;
        // What goes on after a pause may pause again.
        for _ in 0..PAUSES_MAX {
            if self.server.paused_until_ms.swap(0, Ordering::AcqRel) == 0 {
                break;
            }
            for core in 0..self.cores.len() {
                self.cores[core].cron();
                self.awake[core] = true;
            }
            self.come_to_rest()?;
        }
        for (client, pipe) in self.pipes.iter().enumerate() {
            if let Some(session) = self.cores[pipe.core].session(pipe.key)
                && !(session.is_settled() && pipe.reader == Reader::Reading)
            {
                let (core, reader, stall) = (pipe.core, pipe.reader, session.stall());
                let left: Vec<_> = self.cores.iter_mut().map(|core| core.exchange.leftover()).collect();
                return Err(format!("client {client} of core {core} waits for good ({reader:?}, {stall:?}); cores: {left:?}"));
            }
        }
        if let Some(what) = self.log.as_ref().and_then(|log| log.leftover()) {
            return Err(what);
        }
        for core in &mut self.cores {
            if let Some(what) = core.leftover() {
                return Err(format!("core {} is left with {what}", core.id));
            }
        }
        for (shard, shelf) in self.meeting.shelves.iter().enumerate() {
            let Some(keyspace) = shelf.try_take(false, 0) else {
                return Err(format!("the box of shard {shard} is not free on its shelf"));
            };
            let mut keyspace = keyspace;
            if keyspace.waiters.as_mut().is_some_and(|waiters| !waiters.sweep()) {
                return Err(format!("a client waits for good in shard {shard}"));
            }
            if keyspace.watchers.as_mut().is_some_and(|watchers| watchers.sweep()) {
                keyspace.watchers = None;
            }
            let held = !keyspace.holds.is_empty();
            if held || shelf.put(keyspace) == PutResult::Wanted {
                return Err(format!("shard {shard} is left with held keys"));
            }
        }
        Ok(())
    }
}
