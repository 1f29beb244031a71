//! What an engineer does before a plant runs: look at a device, try a plan, write a register map.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends with the first thing that is wrong"
)]

mod common;
use common::*;
use serde_json::Value;

/// Readings of one type at an offset: (order, value).
fn orders(scan: &Value, offset: u64, kind: &str) -> Vec<(String, f64)> {
    let readings = scan["readings"].as_array().unwrap().iter();
    readings
        .filter(|r| r["offset"] == offset && r["type"] == kind)
        .map(|r| {
            (
                r["order"].as_str().unwrap_or_default().to_owned(),
                r["value"].as_f64().unwrap(),
            )
        })
        .collect()
}

// home-assistant #98692; telegraf's README: "Modbus documentation is often a mess"
#[test]
fn a_scan_shows_which_word_order_is_right() {
    let port = free_port().to_string();
    let _peer = modbus_peer("tcp", &port);
    wait("the slave", 10, || listening(port.parse().unwrap()));
    let place = ["scan", "--host", "127.0.0.1", "--port", &port, "--unit", "7"];
    let scan = json(&[&place[..], &["--offset", "102", "--count", "14"]].concat());
    // 30.5625 stands there in all four orders: in each the right one alone gives it
    for (offset, right) in [(108, "ABCD"), (110, "CDAB"), (112, "BADC"), (114, "DCBA")] {
        let matching: Vec<String> = orders(&scan, offset, "float32")
            .into_iter()
            .filter(|(_, value)| *value == 30.5625)
            .map(|(order, _)| order)
            .collect();
        assert_eq!(matching, [right], "{offset}");
    }
    assert!(orders(&scan, 102, "int32").contains(&("ABCD".into(), -123_456_789.0)));
    // a table for people, and a CSV for spreadsheets
    let table = text(&run(&[&place[..], &["--offset", "108", "--count", "2"]].concat()).stdout);
    assert!(
        table.contains("HR109") && table.contains("30.5625") && table.contains("CDAB"),
        "{table}"
    );
    let csv = text(&run(&[&place[..], &["--offset", "108", "--count", "2", "--csv"]].concat()).stdout);
    assert!(csv.starts_with("offset,address,words,type,order,value\n"), "{csv}");
    assert!(
        csv.lines().any(|l| l == "108,HR109,16884 32768,float32,ABCD,30.5625"),
        "{csv}"
    );
}

#[test]
fn a_scan_narrows_down_what_a_device_refuses_and_reads_bits() {
    let port = free_port().to_string();
    let _peer = peer("tk_peer.py", &["tcp", &port]);
    let place = ["scan", "--host", "127.0.0.1", "--port", &port];
    let scan = json(&[&place[..], &["--area", "input", "--offset", "190", "--count", "20"]].concat());
    let words: Vec<Option<u64>> = scan["words"].as_array().unwrap().iter().map(Value::as_u64).collect();
    let want: Vec<Option<u64>> = (190..210).map(|n| (n < 200).then_some(n)).collect();
    assert_eq!(words, want, "200 and beyond are refused, the rest is read");
    let scan = json(&[&place[..], &["--area", "coil", "--offset", "1", "--count", "4"]].concat());
    assert_eq!(scan["words"], serde_json::json!([1, 0, 1, 0]));
    let (code, message) = fails(&["scan", "--host", "127.0.0.1", "--port", &free_port().to_string()]);
    assert!(code == 1 && message.contains("refused"), "{message}");
    let (code, message) = fails(&["scan", "--count", "5"]);
    assert!(code == 2 && message.contains("--device"), "{message}");
    let (code, message) = fails(&[&place[..], &["--offset", "65530", "--count", "20"]].concat());
    assert!(code == 2 && message.contains("65535"), "{message}");
}

#[test]
fn a_scan_reads_a_serial_line() {
    let folder = tempfile::tempdir().unwrap();
    let (_line, ours, theirs) = serial_pair(folder.path());
    let _peer = peer("tk_peer.py", &["rtu", path(&theirs)]);
    let scan = json(&[
        "scan",
        "--device",
        path(&ours),
        "--unit",
        "2",
        "--offset",
        "16",
        "--count",
        "3",
    ]);
    assert_eq!(scan["words"], serde_json::json!([16, 17, 18]));
    let (code, message) = fails(&["scan", "--device", path(&ours), "--unit", "3", "--timeout-ms", "200"]);
    assert!(
        code == 1 && message.contains("unit 3") && message.contains("baud"),
        "{message}"
    );
}

#[test]
fn a_check_shows_the_plan_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let body = |more: &str| {
        let port = free_port();
        let points = [0, 2, 10]
            .map(|o| point(&format!("T{o}"), 1, o, "float32", "ABCD"))
            .concat();
        format!("{}{more}{points}", tcp_source(port))
    };
    let tags = [("T0", "1"), ("T2", "1"), ("T10", "1")];
    let check = |more: &str| {
        let (config, _) = plant(folder.path(), &tags, &body(more));
        // nobody listens there; the plan is shown all the same
        let output = run(&["check", "--config", path(&config), "--json"]);
        assert_eq!(output.status.code(), Some(1));
        last_json(&output.stdout)["sources"][0].clone()
    };
    let source = check("");
    let plan = &source["plan"];
    assert_eq!(
        (&plan["requests"], &plan["registers"], &plan["wasted"]),
        (&2.into(), &6.into(), &0.into())
    );
    assert_eq!(plan["min_cycle_ms"], 0.0);
    let plan = check("max_gap = 50\n")["plan"].clone();
    assert_eq!(
        (&plan["requests"], &plan["registers"], &plan["wasted"]),
        (&1.into(), &12.into(), &6.into())
    );
    // poll_ms is 200
    let plan = check("pause_between_requests_ms = 250\n")["plan"].clone();
    assert_eq!(plan["min_cycle_ms"], 250.0);
    assert!(plan["warning"].as_str().unwrap().contains("250 ms"), "{plan}");
    let (config, _) = plant(folder.path(), &tags, &body("pause_between_requests_ms = 250\n"));
    let shown = text(&run(&["check", "--config", path(&config)]).stdout);
    assert!(
        shown.contains("WARNING") && shown.contains("2 requests, 6 registers"),
        "{shown}"
    );
}

// OpenModScan #1, #76, ModbusMechanic #23, ModbusScope #11: register maps in and out of files
#[test]
fn a_register_map_written_is_the_map_read() {
    let folder = tempfile::tempdir().unwrap();
    let tags = [("A", "degC"), ("B", "1"), ("C", "1")];
    let points = "[[source.point]]\ntag = \"A\"\nunit_id = 3\naddress = \"IR7\"\ntype = \"int16\"\nraw = [0, 30000]\neu = [32.0, 212.0]\nunit = \"degF\"\n\
                  bad_raw = [32767, 65535]\nstatus = { address = \"DI15\", bad_when = true }\ndeadband = { abs = 0.1, max_silence_s = 60 }\n\
                  [[source.point]]\ntag = \"B\"\naddress = { area = \"holding\", offset = 40 }\ntype = \"float32\"\norder = \"CDAB\"\nscale = 0.1\n\
                  status = { address = \"HR101\", bit = 3, bad_when = false }\n\
                  [[source.point]]\ntag = \"C\"\naddress = \"DI1\"\ntype = \"bool\"\n";
    let source = tcp_source(free_port());
    let (config, _) = plant(folder.path(), &tags, &format!("{source}{points}"));
    let map = folder.path().join("map.csv");
    let export = ["points", "export", "--config", path(&config), "--source", "plc"];
    assert!(run(&[&export[..], &["--out", path(&map)]].concat()).status.success());
    let written = std::fs::read_to_string(&map).unwrap();
    assert!(written.starts_with("tag,unit_id,address,type,order,"), "{written}");
    let (config, _) = plant(folder.path(), &tags, &format!("{source}points_csv = \"map.csv\"\n"));
    let again = run(&["points", "export", "--config", path(&config), "--source", "plc"]);
    assert_eq!(text(&again.stdout), written, "what is read from it is what was written");
    let (code, message) = fails(&["points", "export", "--config", path(&config), "--source", "plx"]);
    assert!(code == 2 && message.contains("plc"), "{message}");
}
