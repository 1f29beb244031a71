//! `simulate mqtt`: the simulated turbine publishes.

use crate::{
    cli::{MessageFormat, SimulateMqttArgs},
    failure::{Failure, Result},
    output,
    signals::Signals,
};
use serde_json::json;
use simulator::{LiveTurbine, MqttFormat, MqttPublisher, MqttPublisherOptions, registers::REGISTER_MAP};
use std::time::Duration;

pub fn simulate_mqtt(signals: &Signals, args: &SimulateMqttArgs, turbine: LiveTurbine) -> Result<()> {
    let format = format(args)?;
    let options = MqttPublisherOptions {
        host: args.host.clone(),
        port: args.port,
        format: format.clone(),
        every: Duration::from_millis(args.every_ms),
        qos: args.qos,
    };
    let publisher = MqttPublisher::start(options, turbine)
        .map_err(|e| Failure::work(format!("cannot start the publisher: {e}")))?;
    let place = format!("{}:{}", args.host, args.port);
    let topic = match &format {
        MqttFormat::Json { topic } => topic.clone(),
        MqttFormat::SparkplugB { group, edge, device } => format!("spBv1.0/{group}/DDATA/{edge}/{device}"),
    };
    if args.turbine.json {
        let tags = REGISTER_MAP
            .iter()
            .map(|(name, _, unit, _)| json!({"tag": name, "unit": unit}));
        output::json(&json!({"kind": "mqtt", "at": place, "topic": topic, "tags": tags.collect::<Vec<_>>()}))?;
    } else {
        output::note(&format!(
            "simulated turbine publishes to {place} under {topic}. Ctrl-C ends."
        ));
        for (name, _, unit, description) in REGISTER_MAP {
            output::note(&format!("  {name} {unit} {description}"));
        }
    }
    signals.wait(args.turbine.seconds.map(Duration::from_secs_f64), || false, || ());
    publisher.stop();
    Ok(())
}

fn format(args: &SimulateMqttArgs) -> Result<MqttFormat> {
    let topic = args.topic.as_deref();
    match args.format {
        MessageFormat::Json => {
            let topic = topic.unwrap_or("plant/gt1/{tag}");
            if !topic.contains("{tag}") || topic.contains(['+', '#']) {
                return Err(Failure::input(format!(
                    "--topic {topic:?} has to hold {{tag}} and no wildcards"
                )));
            }
            Ok(MqttFormat::Json {
                topic: topic.to_owned(),
            })
        }
        MessageFormat::SparkplugB => {
            let topic = topic.unwrap_or("plant/gt1/turbine");
            let parts: Vec<&str> = topic.split('/').collect();
            match parts[..] {
                [group, edge, device] if parts.iter().all(|p| !p.is_empty() && !p.contains(['+', '#'])) => {
                    Ok(MqttFormat::SparkplugB {
                        group: group.to_owned(),
                        edge: edge.to_owned(),
                        device: device.to_owned(),
                    })
                }
                _ => Err(Failure::input(format!(
                    "--topic {topic:?}: expected GROUP/EDGE/DEVICE for sparkplug-b"
                ))),
            }
        }
    }
}
