//! Sources of readings. Each implements [`Source`], gets its settings from the plant file and puts its frames into a
//! [`Sink`].
//!
//! What holds for all of them: a source reconnects by itself for ever and never panics; what did not arrive is a sample
//! without a value, told once for each time it falls silent; a batch may carry a token that is given back after the
//! commit.

mod api;
mod http;
mod json;
mod modbus;
mod mqtt;
#[doc(hidden)]
pub mod parsers;
mod replay;
mod sample;
mod serial;
pub mod tls;

pub use api::{
    AckToken, Batch, BoxFuture, CheckResult, Context, LinkState, Observation, Request, SetupError, Sink, Source,
    SourceError, Stop, StopHandle, Stopped, now,
};
pub use modbus::{PlanCost, codec, plan, scan};

use domain::plant::{self, SourceKind};

/// The source of these settings: the registry by kind.
///
/// # Errors
/// [`SetupError`]: what can only be found wrong on this machine, such as a secret that is not set.
pub fn source(settings: &plant::Source, context: &Context) -> Result<Box<dyn Source>, SetupError> {
    Ok(match &settings.kind {
        SourceKind::Modbus(modbus) => Box::new(modbus::ModbusClient::new(modbus.clone(), context)),
        SourceKind::Serial(serial) => Box::new(serial::SerialLines::new(settings.id.clone(), serial.clone(), context)),
        SourceKind::Mqtt(mqtt) => Box::new(mqtt::MqttSubscriber::new(&settings.id, mqtt.clone(), context)?),
        SourceKind::Http(http) => Box::new(http::HttpInlet::new(http.clone(), context)?),
        SourceKind::Replay(replay) => Box::new(replay::Replayer::new(settings.id.clone(), replay.clone(), context)),
    })
}
