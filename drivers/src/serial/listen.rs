//! A device that sends by itself.

use super::{
    line::{OpenLine, READ_PATIENCE},
    parse::{Line, Parser},
    worker::{Worker, read, rejected},
};
use crate::api::{LinkState, SourceError, Stop, Stopped};
use std::io;

/// Listens until it is stopped (nothing) or the port is lost (why).
///
/// # Errors
/// [`Stopped`]: the engine takes nothing more.
pub fn listen(
    worker: &mut Worker<'_>,
    line: &mut OpenLine,
    parser: &mut Parser,
    stop: &Stop,
) -> Result<Option<io::Error>, Stopped> {
    while !stop.is_stopped() {
        let received = match line.read(READ_PATIENCE) {
            Ok(received) => received,
            Err(error) => return Ok(Some(error)),
        };
        worker.received(received.bytes);
        let mut lines = Vec::new();
        for piece in received.pieces {
            match read(parser, &piece) {
                Ok(Line::Values(values)) => lines.push(values.iter().map(|v| worker.sample(v)).collect()),
                Ok(Line::Refused { reason, message }) => {
                    let request = "(unasked)".into();
                    worker.error(SourceError::Refused { request, message });
                    lines.push(worker.missing(&parser.tags(), reason));
                }
                Ok(Line::Other) => {}
                Err(wrong) => worker.error(rejected(&piece, wrong)),
            }
        }
        if !lines.is_empty() {
            worker.tell(LinkState::Connected);
            worker.send(lines)?;
        }
        worker.look_for_stale()?;
    }
    Ok(None)
}
