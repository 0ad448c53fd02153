//! One connection's two tasks: a reader that feeds the session, and a writer that sends what is ready. Both may wait at the
//! same time, so a client may send a long pipeline before it reads the first reply.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::os::fd::RawFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, OwnedReadHalf, OwnedWriteHalf, Split, Splitable};

use crate::runtime::notify::Notify;
use crate::session::core::{Core, Progress};
use crate::session::state::SessionKey;
use crate::stdx::limits::{READ_AHEAD_BYTES, READ_BUFFER_BYTES, READ_BUFFER_BYTES_KEPT_MAX};

use super::worker::Worker;

/// What the worker keeps of a connection.
pub struct Link {
    /// The session.
    pub key: SessionKey,
    /// The socket.
    pub descriptor: RawFd,
    /// Wakes the reader when it waits inside the server.
    pub reader: Notify,
    writer: Notify,
    writing: Cell<bool>,
    closed: Cell<bool>,
}

impl Link {
    /// A link to a session that has just connected.
    pub fn new(key: SessionKey, descriptor: RawFd) -> Link {
        Link {
            key,
            descriptor,
            reader: Notify::default(),
            writer: Notify::default(),
            writing: Cell::new(false),
            closed: Cell::new(false),
        }
    }

    /// Replies are ready.
    pub fn wake_writer(&self) {
        self.writer.notify();
    }

    /// Something is on its way to the client.
    pub fn is_writing(&self) -> bool {
        self.writing.get()
    }
}

/// The receiving half of a socket: at hand, or reading into a buffer of its own while the session waits for a key.
enum Input<S: Split> {
    Here(OwnedReadHalf<S>),
    Ahead(Ahead<S>),
    /// Between the two.
    Moving,
}

/// A read that is under way with the half and the buffer in it. It is never dropped before it ends: that could lose data.
type Ahead<S> = Pin<Box<dyn Future<Output = (OwnedReadHalf<S>, std::io::Result<usize>, Vec<u8>)>>>;

/// Serves a connection until it is closed.
pub async fn serve<S>(worker: Rc<Worker>, link: Rc<Link>, stream: S)
where
    S: Split + AsyncReadRent + AsyncWriteRent + 'static,
{
    let (half, output) = stream.into_split();
    let mut input = Input::Here(half);
    monoio::spawn(write(worker.clone(), link.clone(), output));
    loop {
        let progress = worker.process(link.key);
        if has_output(&worker, &link) {
            link.writer.notify();
        }
        let alive = match progress {
            Progress::Read => read(&worker, &link, &mut input).await,
            Progress::Again => {
                worker.yield_turn(link.clone());
                link.reader.wait().await;
                true
            }
            // The writer wakes us when everything has been sent, the server when what it waited for has come.
            Progress::Send | Progress::Wait => {
                link.reader.wait().await;
                true
            }
            Progress::Blocked => read_ahead(&worker, &link, &mut input).await,
            Progress::Close => false,
        };
        if !alive {
            break;
        }
    }
    // The last replies leave before the connection is closed, unless it is broken.
    while (link.writing.get() || has_output(&worker, &link)) && !is_killed(&worker, &link) {
        link.reader.wait().await;
    }
    link.closed.set(true);
    crate::runtime::net::shutdown(link.descriptor);
    link.writer.notify();
    if let Input::Ahead(ahead) = input {
        // It ends now that the socket is shut down.
        drop(ahead.await);
    }
    worker.forget(&link);
}

/// While the session waits for a key the socket is read on, so that a client that goes is noticed; up to a limit, behind
/// which it is not read, and its going is noticed late. False when the connection ended.
async fn read_ahead<S>(worker: &Worker, link: &Link, input: &mut Input<S>) -> bool
where
    S: Split + AsyncReadRent + 'static,
{
    let waiting_bytes = worker.core().session(link.key).map_or(0, |session| session.query_bytes());
    if waiting_bytes < READ_BUFFER_BYTES_KEPT_MAX
        && let Input::Here(_) = input
        && let Input::Here(mut half) = std::mem::replace(input, Input::Moving)
    {
        *input = Input::Ahead(Box::pin(async move {
            let (result, buffer) = half.read(Vec::with_capacity(READ_AHEAD_BYTES)).await;
            (half, result, buffer)
        }));
    }
    let mut wait = pin!(link.reader.wait());
    let received = poll_fn(|context| {
        if wait.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        match input {
            Input::Ahead(ahead) => ahead.as_mut().poll(context).map(Some),
            Input::Here(_) | Input::Moving => Poll::Pending,
        }
    })
    .await;
    match received {
        None => true,
        Some((half, result, buffer)) => {
            *input = Input::Here(half);
            // Redis, too, lets go of a client that ends its side while it waits.
            receive_ahead(worker, link, &result, &buffer) && !matches!(result, Ok(0))
        }
    }
}

/// Takes in what was read ahead. False when the connection is broken.
fn receive_ahead(worker: &Worker, link: &Link, result: &std::io::Result<usize>, buffer: &[u8]) -> bool {
    let mut core = worker.core();
    if let Some(session) = core.session(link.key) {
        session.receive_ahead(buffer);
    }
    note_received(&mut core, link, result)
}

/// Counts what was received. False when the connection is broken.
fn note_received(core: &mut Core, link: &Link, result: &std::io::Result<usize>) -> bool {
    let &Ok(count) = result else { return false };
    if let Some(session) = core.session(link.key) {
        session.client.bytes_in += count as u64;
        session.input_ended |= count == 0;
    }
    core.stats().reads.add(1);
    core.stats().bytes_in.add(count as u64);
    true
}

fn has_output(worker: &Worker, link: &Link) -> bool {
    worker.core().session(link.key).is_some_and(|session| !session.out.is_empty())
}

fn is_killed(worker: &Worker, link: &Link) -> bool {
    worker.core().session(link.key).is_none_or(|session| session.killed)
}

/// Reads once into the session. False when the connection is broken.
async fn read<S>(worker: &Worker, link: &Link, input: &mut Input<S>) -> bool
where
    S: Split + AsyncReadRent,
{
    let mut half = match std::mem::replace(input, Input::Moving) {
        Input::Here(half) => half,
        Input::Ahead(ahead) => {
            let (half, result, buffer) = ahead.await;
            *input = Input::Here(half);
            return receive_ahead(worker, link, &result, &buffer);
        }
        Input::Moving => unreachable!("every way out of a read puts the half back"),
    };
    let big = worker.core().session(link.key).is_some_and(|session| session.big.is_some());
    let received =
        if big { read_big(worker, link, &mut half).await } else { read_small(worker, link, &mut half).await };
    *input = Input::Here(half);
    note_received(&mut worker.core(), link, &received)
}

async fn read_small<S>(worker: &Worker, link: &Link, input: &mut OwnedReadHalf<S>) -> std::io::Result<usize>
where
    S: AsyncReadRent,
{
    let (buffer, len, end) = match worker.core().session(link.key) {
        Some(session) => {
            let mut buffer = std::mem::take(&mut session.buffer);
            let len = buffer.len();
            if buffer.capacity() - len < READ_BUFFER_BYTES / 2 {
                // Grows by doubling while one request is longer than the buffer.
                buffer.reserve(READ_BUFFER_BYTES.max(len));
            }
            let end = buffer.capacity();
            session.buffer_lent = (len, end);
            (buffer, len, end)
        }
        None => return Err(std::io::ErrorKind::NotConnected.into()),
    };
    let (result, slice) = input.read(buffer.slice_mut(len..end)).await;
    let buffer = slice.into_inner();
    if let Some(session) = worker.core().session(link.key) {
        session.buffer = buffer;
        session.buffer_lent = (0, 0);
    }
    result
}

async fn read_big<S>(worker: &Worker, link: &Link, input: &mut OwnedReadHalf<S>) -> std::io::Result<usize>
where
    S: AsyncReadRent,
{
    let lent = worker.core().session(link.key).and_then(|session| {
        Some(session.big.as_mut()?.lend())
    });
    let Some((buffer, room)) = lent else { return Err(std::io::ErrorKind::NotConnected.into()) };
    let len = buffer.len();
    if let Some(session) = worker.core().session(link.key) {
        session.buffer_lent = (len, buffer.capacity());
    }
    let end = len + room;
    let (result, slice) = input.read(buffer.slice_mut(len..end)).await;
    let buffer = slice.into_inner();
    if let Some(session) = worker.core().session(link.key) {
        session.buffer_lent = (0, 0);
        if let Some(big) = &mut session.big {
            big.take_back(buffer);
        }
    }
    result
}

/// The writer: sends whatever the session has to say, one send for all that is ready.
async fn write<S>(worker: Rc<Worker>, link: Rc<Link>, mut output: OwnedWriteHalf<S>)
where
    S: AsyncWriteRent,
{
    loop {
        link.writer.wait().await;
        if link.closed.get() {
            return;
        }
        link.writing.set(true);
        while send(&worker, &link, &mut output).await {}
        link.writing.set(false);
        link.reader.notify_waiting();
    }
}

/// Sends what is ready now; false when there was nothing.
async fn send<S>(worker: &Worker, link: &Link, output: &mut OwnedWriteHalf<S>) -> bool
where
    S: AsyncWriteRent,
{
    let (bytes, shared) = match worker.core().sendable(link.key) {
        Some(session) => session.take_output(),
        None => return false,
    };
    let total = bytes.len() + shared.iter().map(|(_, large)| large.len()).sum::<usize>();
    let (result, buffer) = if shared.is_empty() {
        let (result, bytes) = output.write_all(bytes).await;
        (result.map(drop), bytes)
    } else {
        (send_pieces(output, bytes, shared).await, Vec::new())
    };
    let mut core = worker.core();
    core.stats().writes.add(1);
    core.stats().bytes_out.add(total as u64);
    if let Some(session) = core.session(link.key) {
        session.client.bytes_out += total as u64;
        session.output_sent(buffer);
        if result.is_err() {
            session.killed = true;
            session.out.clear();
        }
    }
    true
}

/// Sends bytes with the large strings in their places.
async fn send_pieces<S>(
    half: &mut OwnedWriteHalf<S>,
    mut bytes: Vec<u8>,
    shared: Vec<(usize, Bytes)>,
) -> std::io::Result<()>
where
    S: AsyncWriteRent,
{
    let mut sent = 0;
    for (at, large) in shared {
        if at > sent {
            let (result, slice) = half.write_all(bytes.slice(sent..at)).await;
            result?;
            bytes = slice.into_inner();
            sent = at;
        }
        half.write_all(large).await.0?;
    }
    if sent < bytes.len() {
        let end = bytes.len();
        half.write_all(bytes.slice(sent..end)).await.0?;
    }
    Ok(())
}
