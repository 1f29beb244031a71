//! C: 200 points in 20 units at 1 Hz: requests and registers of a cycle beside the ways of Telegraf's `inputs.modbus`, as
//! its README and `request.go` describe them.
//!
//! - `optimization = "none"`: fields that lie side by side go into one request, as long as it is not longer than 125
//!   registers. Nothing that was not asked for is read; so does `max_gap = 0` here.
//! - `optimization = "max_insert"`: holes up to `optimization_max_register_fill` (50) are read and thrown away. That takes
//!   fewer requests than any way that reads no hole, so it stands beside `max_gap = 50`: the same permission.

use crate::{common::*, report};

/// Area, offset, registers.
type Field = (u8, u16, u16);
const LONGEST: u16 = 125;
const POINTS: usize = 200;

/// Fields of a unit: runs and holes as register maps have them.
fn fields(unit: u8, points: usize) -> Vec<Field> {
    const HOLES: [u16; 10] = [0, 0, 0, 1, 0, 2, 0, 8, 30, 45];
    let widths = [1, 2, 2, 1, 4, 2, 1, 2, 2, 1];
    let mut next = u16::from(unit) * 10;
    (0..points)
        .map(|i| {
            let place = (usize::from(unit) * 3 + i * 7) % 10;
            next += HOLES[place];
            let area = if 10 * i < 6 * points { 3 } else { 4 };
            let field = (area, next, widths[place]);
            next += field.2;
            field
        })
        .collect()
}

/// (requests, registers) of a unit in Telegraf's way: holes up to `fill` are read.
fn telegraf(mut fields: Vec<Field>, fill: u16) -> (usize, u32) {
    fields.sort_unstable();
    let mut requests: Vec<Field> = Vec::new();
    for (area, address, length) in fields {
        match requests.last_mut() {
            Some((a, start, total)) if *a == area && address >= *start + *total => {
                let hole = address - (*start + *total);
                if hole <= fill && *total + hole + length <= LONGEST {
                    *total += hole + length;
                    continue;
                }
            }
            _ => {}
        }
        requests.push((area, address, length));
    }
    (requests.len(), requests.iter().map(|r| u32::from(r.2)).sum())
}

fn ours(folder: &std::path::Path, units: u8, max_gap: u16) -> (usize, u32) {
    let mut body = format!("{}max_gap = {max_gap}\n", tcp_source(free_port()));
    let mut tags = Vec::new();
    for unit in 1..=units {
        for (i, (area, offset, width)) in fields(unit, POINTS / usize::from(units)).into_iter().enumerate() {
            tags.push(format!("U{unit}_{i}"));
            let (kind, order) = match width {
                1 => ("int16", ""),
                2 => ("float32", "ABCD"),
                _ => ("float64", "ABCD"),
            };
            let point = point(&format!("U{unit}_{i}"), unit, offset, kind, order);
            body.push_str(&if area == 4 {
                point.replace("holding", "input")
            } else {
                point
            });
        }
    }
    let names: Vec<(&str, &str)> = tags.iter().map(|t| (t.as_str(), "1")).collect();
    let (config, _) = plant(folder, &names, &body);
    // nobody listens; the plan is told all the same
    let checked = last_json(&run(&["check", "--config", path(&config), "--json"]).stdout);
    let plan = &checked["sources"][0]["plan"];
    (
        plan["requests"].as_u64().unwrap() as usize,
        plan["registers"].as_u64().unwrap() as u32,
    )
}

#[test]
fn c_no_more_requests_and_registers_than_telegraf() {
    let folder = tempfile::tempdir().unwrap();
    for units in [20, 2] {
        let theirs = |fill| {
            (1..=units)
                .map(|unit| telegraf(fields(unit, POINTS / usize::from(units)), fill))
                .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        let mut told = Vec::new();
        for (name, fill) in [("none", 0), ("max_insert, fill 50", 50)] {
            let (ours, theirs) = (ours(folder.path(), units, fill), theirs(fill));
            assert!(
                ours.0 <= theirs.0 && ours.1 <= theirs.1,
                "{name}: ours {ours:?}, theirs {theirs:?}"
            );
            told.push(format!(
                "max_gap {fill}: {} requests, {} registers (Telegraf, {name}: {}, {})",
                ours.0, ours.1, theirs.0, theirs.1
            ));
        }
        report(
            "C",
            &format!("{POINTS} points in {units} units, a cycle: {}", told.join("; ")),
        );
    }
}
