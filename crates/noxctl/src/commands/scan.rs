//! `scan`: one stretch of registers in all types and orders.

use crate::{
    cli::{ScanArea, ScanArgs, ScanParity},
    failure::{Failure, Result},
    output,
};
use domain::plant::{Address, Area, DataType, Device, ModbusLink, Parity, SerialLine, WordOrder};
use engine::scan::{Reading, Request, Scan, readings};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

pub fn scan(args: &ScanArgs) -> Result<ExitCode> {
    let stretch = Request {
        unit_id: args.unit,
        area: area(args.area),
        offset: args.offset,
        count: args.count,
    };
    if u32::from(args.offset) + u32::from(args.count) > 65536 {
        return Err(Failure::input(format!(
            "{} registers from offset {} end beyond 65535",
            args.count, args.offset
        )));
    }
    let scan =
        engine::scan::scan(&link(args), &stretch, Duration::from_millis(args.timeout_ms)).map_err(Failure::work)?;
    let ways = if stretch.area.is_bits() {
        Vec::new()
    } else {
        readings(&scan.words)
    };
    if args.json {
        output::json(&whole_json(&stretch, &scan, &ways))?;
    } else if args.csv {
        csv(&stretch, &scan, &ways)?;
    } else {
        tables(&stretch, &scan, &ways)?;
    }
    scan.refused
        .iter()
        .for_each(|refused| output::note(&format!("refused: {refused}")));
    let has_any = scan.words.iter().any(Option::is_some);
    Ok(if has_any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn area(area: ScanArea) -> Area {
    match area {
        ScanArea::Coil => Area::Coil,
        ScanArea::Discrete => Area::Discrete,
        ScanArea::Input => Area::Input,
        ScanArea::Holding => Area::Holding,
    }
}

fn link(args: &ScanArgs) -> ModbusLink {
    match (&args.device, &args.host) {
        (Some(device), _) => ModbusLink::Rtu(SerialLine {
            device: Device::Path(device.clone()),
            baud: args.baud,
            parity: match args.parity {
                ScanParity::None => Parity::None,
                ScanParity::Even => Parity::Even,
                ScanParity::Odd => Parity::Odd,
            },
            data_bits: 8,
            stop_bits: args.stop_bits,
        }),
        (None, host) => {
            let (host, port) = (host.clone().unwrap_or_default(), args.port);
            if args.rtu_over_tcp {
                ModbusLink::RtuOverTcp { host, port }
            } else {
                ModbusLink::Tcp { host, port }
            }
        }
    }
}

fn address(stretch: &Request, place: usize) -> Address {
    Address {
        area: stretch.area,
        // within the stretch, which ends at 65535
        offset: stretch.offset + place as u16,
    }
}

/// A reading as it is in a register map: address, type, order; and the raw registers.
fn way_json(stretch: &Request, scan: &Scan, way: &Reading) -> Value {
    let address = address(stretch, way.place);
    json!({
        "offset": address.offset,
        "address": address.to_string(),
        "type": way.data_type.as_str(),
        "order": way.order.map(WordOrder::as_str),
        "words": words(scan, way),
        "value": way.value,
    })
}

fn whole_json(stretch: &Request, scan: &Scan, ways: &[Reading]) -> Value {
    json!({
        "unit_id": stretch.unit_id,
        "area": stretch.area.as_str(),
        "offset": stretch.offset,
        "count": stretch.count,
        "words": scan.words,
        "refused": scan.refused,
        "readings": ways.iter().map(|way| way_json(stretch, scan, way)).collect::<Vec<_>>(),
    })
}

fn words<'a>(scan: &'a Scan, way: &Reading) -> &'a [Option<u16>] {
    let width = usize::from(way.data_type.count());
    scan.words.get(way.place..way.place + width).unwrap_or_default()
}

fn csv(stretch: &Request, scan: &Scan, ways: &[Reading]) -> Result<()> {
    output::line("offset,address,words,type,order,value")?;
    if stretch.area.is_bits() {
        for (place, bit) in scan.words.iter().enumerate() {
            let (address, bit) = (address(stretch, place), bit.map_or(String::new(), |b| b.to_string()));
            output::line(&format!("{},{address},{bit},bool,,{bit}", address.offset))?;
        }
    }
    for way in ways {
        let address = address(stretch, way.place);
        let words: Vec<String> = words(scan, way).iter().flatten().map(u16::to_string).collect();
        let order = way.order.map_or("", WordOrder::as_str);
        let (words, kind, value) = (words.join(" "), way.data_type.as_str(), shown(way.value, way.data_type));
        output::line(&format!("{},{address},{words},{kind},{order},{value}", address.offset))?;
    }
    Ok(())
}

/// One table a type; the registers of a number in the first columns, its value in each order beside them.
fn tables(stretch: &Request, scan: &Scan, ways: &[Reading]) -> Result<()> {
    output::line(&format!(
        "{:<8} {:>6} {:>6} {:>7} {:>7}",
        "address", "offset", "hex", "uint16", "int16"
    ))?;
    for (place, word) in scan.words.iter().enumerate() {
        let address = address(stretch, place);
        let numbers = match word {
            Some(bit) if stretch.area.is_bits() => format!("{bit:>6}"),
            Some(word) => format!("{:>6} {word:>7} {:>7}", format!("{word:04X}"), *word as i16),
            None => format!("{:>6}", "-"),
        };
        output::line(&format!("{:<8} {:>6} {numbers}", address.to_string(), address.offset))?;
    }
    for (name, data_type) in DataType::WORDS.iter().filter(|(_, t)| t.is_wide()) {
        let of_type: Vec<&Reading> = ways.iter().filter(|way| way.data_type == *data_type).collect();
        if of_type.is_empty() {
            continue;
        }
        let heading: String = WordOrder::WORDS
            .iter()
            .map(|(order, _)| format!("{order:>25}"))
            .collect();
        output::line(&format!("\n{name:<8} {:>6}{heading}", "offset"))?;
        for row in of_type.chunk_by(|a, b| a.place == b.place) {
            let address = address(stretch, row[0].place);
            let values: String = row
                .iter()
                .map(|way| format!("{:>25}", shown(way.value, *data_type)))
                .collect();
            output::line(&format!("{:<8} {:>6}{values}", address.to_string(), address.offset))?;
        }
    }
    Ok(())
}

/// As short as tells the number: a float32 has no sixteen digits.
fn shown(value: f64, data_type: DataType) -> String {
    let (plain, short) = if data_type == DataType::Float32 {
        let value = value as f32;
        (value.to_string(), format!("{value:e}"))
    } else {
        (value.to_string(), format!("{value:e}"))
    };
    if plain.len() <= 16 { plain } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_the_device_means_them() {
        let float = |value: f32| shown(f64::from(value), DataType::Float32);
        assert_eq!((float(30.56), float(-2.5e-30).as_str()), ("30.56".into(), "-2.5e-30"));
        assert_eq!(shown(-123_456_789.0, DataType::Int32), "-123456789");
        assert_eq!(float(f32::NAN), "NaN");
    }
}
