//! The listener: connections in, a thread each, until it is to stop.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::answer::Answer;
use super::door::Door;
use super::request::{Refusal, Request, Requests};
use crate::failure::{Failure, Kind};

/// Connections at a time: a browser opens six, and there may be a second tab.
const MAX_CONNECTIONS: usize = 32;
/// How long a new connection may wait before it is looked at. Those that stand wait for nothing.
const LOOK: Duration = Duration::from_millis(20);
/// How long a read waits before it looks whether to stop.
const TICK: Duration = Duration::from_millis(200);
/// How long a write may take.
const WRITE: Duration = Duration::from_secs(20);

/// A page that can be opened.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: TcpListener,
    door: Door,
}

impl Listening {
    /// Listens on this machine, at a port or at one that the system chooses.
    ///
    /// # Errors
    /// When the port is taken or may not be used.
    #[expect(
        clippy::disallowed_methods,
        reason = "only here a page is served, and on the loopback interface only"
    )]
    pub(crate) fn on(port: u16) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            Failure::of(Kind::Device, &error)
                .while_doing(format!("port {port} of this machine cannot be listened on"))
                .hint("leave `--port` out and the system chooses a free one")
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, door: Door::new(port)? })
    }

    /// The address to be opened.
    pub(crate) fn address(&self) -> String {
        self.door.address()
    }

    /// Answers until `stop` is set. What is asked is the path behind the word.
    ///
    /// # Errors
    /// When the system takes the listener away.
    pub(crate) fn serve(
        &self,
        stop: &AtomicBool,
        answer: impl Fn(&str, &Request) -> Answer + Sync,
    ) -> Result<(), Failure> {
        let n_open = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            while !stop.load(Ordering::SeqCst) {
                match self.listener.accept() {
                    Ok((stream, _)) => {
                        // Whoever comes when the house is full is sent away by the closing of the door.
                        if n_open.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
                            n_open.fetch_sub(1, Ordering::SeqCst);
                            continue;
                        }
                        let (n_open, answer) = (&n_open, &answer);
                        scope.spawn(move || {
                            self.talk(&stream, stop, answer);
                            n_open.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(LOOK),
                    // A connection that was gone before it was taken.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => {
                        stop.store(true, Ordering::SeqCst);
                        return Err(
                            Failure::of(Kind::Device, &error).while_doing("the page cannot be served")
                        );
                    }
                }
            }
            Ok(())
        })
    }

    /// One connection, to its end. What cannot be written to a browser that is gone is nobody's loss.
    fn talk(&self, stream: &TcpStream, stop: &AtomicBool, answer: &impl Fn(&str, &Request) -> Answer) {
        let set = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_nodelay(true))
            .and_then(|()| stream.set_read_timeout(Some(TICK)))
            .and_then(|()| stream.set_write_timeout(Some(WRITE)));
        if set.is_err() {
            return;
        }
        let mut requests = Requests::new(stream);
        loop {
            let (said, is_last) = match requests.next(stop) {
                Ok(Some(request)) => {
                    let said = match self.door.enter(&request) {
                        Ok(rest) => answer(rest, &request),
                        Err(refused) => refused,
                    };
                    (said, request.is_last || stop.load(Ordering::SeqCst))
                }
                Ok(None) => return,
                Err(Refusal(status, why)) => (Answer::refused(status, why), true),
            };
            if said.write(stream, is_last).is_err() || is_last {
                return;
            }
        }
    }
}
