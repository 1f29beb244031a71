use super::*;

const HEAD: &str = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"GT1\"\n[store]\npath = \"x.sqlite\"\n[[tag]]\nname = \"AT\"\nunit = \"degC\"\n[[tag]]\nname = \"NOX\"\nunit = \"mg/m3\"\nbasis = { dry = true, o2 = 15.0 }\n";
const PLC: &str = "[[source]]\nid = \"plc\"\nkind = \"modbus-tcp\"\nhost = \"127.0.0.1\"\nport = 502\npoll_ms = 500\n[[source.point]]\ntag = \"AT\"\nunit_id = 1\naddress = \"400001\"\ntype = \"float32\"\norder = \"ABCD\"\n";

fn parse(text: &str) -> Result<PlantFile, PlantError> {
    PlantFile::parse(text, "x.plant.toml", &|_| Err("no such file".into()))
}

#[test]
fn the_commented_example_is_a_right_plant_file() {
    let text = include_str!("../../../../docs/example.plant.toml");
    let map = "tag,unit_id,address,type,order,scale,offset,unit\nAP,1,HR22,uint16,,1,0,hPa\n";
    let plant = PlantFile::parse(text, "example.plant.toml", &|_| Ok(map.into())).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        plant.sources.iter().map(Source::kind_name).collect::<Vec<_>>(),
        ["modbus-tcp", "modbus-rtu", "serial", "serial", "mqtt"]
    );
}

#[test]
fn a_point_is_resolved_to_the_wire_and_the_tags_unit() {
    let text = format!("{HEAD}{PLC}scale = 0.1\noffset = 32.0\nunit = \"degF\"\n");
    let plant = parse(&text).unwrap();
    let SourceKind::Modbus(modbus) = &plant.sources[0].kind else {
        panic!()
    };
    let point = &modbus.points[0];
    assert_eq!(
        point.address,
        Address {
            area: Area::Holding,
            offset: 0
        }
    );
    // raw 1800 at the device: 212 degF
    assert!((1800.0 * point.factor + point.offset - 100.0).abs() < 1e-9);
    assert_eq!(modbus.polling.period.as_millis(), 500);
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_was_expected() {
    let good = format!("{HEAD}{PLC}");
    parse(&good).unwrap();
    for (old, new, words) in [
        ("unit = \"degC\"", "unit = \"furlong\"", &["furlong", "degC"][..]),
        ("poll_ms", "pol_ms", &["pol_ms", "poll_ms"]),
        ("order = \"ABCD\"", "order = \"ABDC\"", &["ABDC", "CDAB"]),
        ("order = \"ABCD\"\n", "", &["order", "ABCD"]),
        ("type = \"float32\"\norder", "type = \"int16\"\norder", &["order"]),
        ("type = \"float32\"", "type = \"bool\"", &["bool"]),
        ("tag = \"AT\"", "tag = \"XX\"", &["XX", "AT"]),
        ("400001", "500001", &["500001", "HR1"]),
        ("port = 502", "port = 70000", &["70000", "65535"]),
        ("schema = 1", "schema = 2", &["2", "schema 1"]),
        ("kind = \"modbus-tcp\"", "kind = \"modbus\"", &["modbus-rtu"]),
        ("path = \"x.sqlite\"", "path = 3", &["path", "3"]),
        (
            "path = \"x.sqlite\"",
            "path = \"x.sqlite\"\nkeep_readings_days = 0",
            &["keep_readings_days", "0", "1"],
        ),
        (
            "path = \"x.sqlite\"",
            "path = \"x.sqlite\"\nkeep_readings_days = 30\nkeep_10s_days = 29",
            &["keep_10s_days", "29", "keep_readings_days"],
        ),
        (
            "path = \"x.sqlite\"",
            "path = \"x.sqlite\"\nkeep_1min_days = 29",
            &["keep_1min_days", "keep_10s_days"],
        ),
        ("o2 = 15.0", "o3 = 15.0", &["o3", "o2"]),
        ("turbine = \"GT1\"", "turbine = \"\"", &["turbine"]),
        ("name = \"NOX\"", "nam = \"NOX\"", &["nam", "name"]),
    ] {
        let text = good.replacen(old, new, 1);
        let PlantError(problems) = parse(&text).unwrap_err();
        let told = problems.iter().find(|p| words.iter().all(|w| p.message.contains(w)));
        let told = told.unwrap_or_else(|| panic!("{new:?}: {problems:?}"));
        if !new.is_empty() {
            let line = 1 + text
                .lines()
                .position(|l| l.contains(new.lines().last().unwrap()))
                .unwrap();
            assert!(
                problems.iter().any(|p| p.line == line),
                "{new:?}: line {line}, told {told}"
            );
        }
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let PlantError(problems) = parse(&format!("{HEAD}[[tag]\n")).unwrap_err();
    assert_eq!(problems[0].line, 14, "{problems:?}");
}

#[test]
fn a_register_map_is_read_and_its_mistakes_told_by_its_own_line() {
    let source = "[[source]]\nid = \"plc\"\nkind = \"modbus-tcp\"\nhost = \"h\"\npoints_csv = \"map.csv\"\n";
    let text = format!("{HEAD}{source}");
    let map = |map: &'static str| PlantFile::parse(&text, "dir/x.plant.toml", &move |_| Ok(map.into()));
    let plant = map("tag,unit_id,address,type,order,scale,offset,unit\nAT,3,40011,uint16,,0.1,0,degC\n").unwrap();
    let SourceKind::Modbus(modbus) = &plant.sources[0].kind else {
        panic!()
    };
    assert_eq!((modbus.points[0].unit_id, modbus.points[0].address.offset), (3, 10));
    let PlantError(problems) = map("tag,unit_id,address,type\nAT,1,40011,uint16\nNOX,1,9x,uint16\n").unwrap_err();
    assert_eq!((problems[0].file.as_str(), problems[0].line), ("dir/map.csv", 3));
    assert!(problems[0].message.contains("9x"));
}

/// The points of a source with this line of a map, beside the same keys as a table.
fn modbus(text: &str) -> Result<ModbusSource, PlantError> {
    match parse(text)?.sources.remove(0).kind {
        SourceKind::Modbus(modbus) => Ok(modbus),
        other => panic!("{other:?}"),
    }
}

const POINT: &str = "[[source.point]]\ntag = \"NOX\"\nunit_id = 3\naddress = \"IR7\"\ntype = \"int16\"\nraw = [0, 32767]\neu = [0.0, 250.0]\n\
                     bad_raw = [32767, 65535]\nstatus = { address = \"DI15\", bad_when = true }\ndeadband = { abs = 0.5, max_silence_s = 90 }\n";

#[test]
fn a_point_may_have_a_line_through_two_points_codes_a_status_bit_and_a_deadband() {
    let source = modbus(&format!("{HEAD}{PLC}{POINT}")).unwrap();
    let point = &source.points[1];
    assert!((32767.0 * point.factor + point.offset - 250.0).abs() < 1e-9);
    assert_eq!(
        (point.offset, &point.bad_raw[..]),
        (0.0, &[32767.0, -1.0][..]),
        "65535 is -1 in an int16"
    );
    let address = Address {
        area: Area::Discrete,
        offset: 14,
    };
    assert_eq!(
        point.status,
        Some(StatusBit {
            address,
            bit: None,
            bad_when: true
        })
    );
    assert_eq!(
        point.deadband.map(|d| (d.abs, d.max_silence.as_secs())),
        Some((0.5, 90))
    );
    let register = POINT.replace(
        "{ address = \"DI15\",",
        "{ address = { area = \"input\", offset = 100 }, bit = 3,",
    );
    let source = modbus(&format!("{HEAD}{PLC}{register}")).unwrap();
    assert_eq!(
        source.points[1].status.map(|s| (s.address.to_string(), s.bit)),
        Some(("IR101".into(), Some(3)))
    );
}

#[test]
fn what_does_not_go_together_in_a_point_is_told() {
    for (old, new, words) in [
        (
            "eu = [0.0, 250.0]\n",
            "eu = [0.0, 250.0]\nscale = 2.0\n",
            &["scale", "raw"][..],
        ),
        (
            "eu = [0.0, 250.0]\n",
            "eu = [0.0, 250.0]\noffset = 2.0\n",
            &["offset", "raw"],
        ),
        ("eu = [0.0, 250.0]\n", "", &["raw", "without `eu`"]),
        ("raw = [0, 32767]\n", "", &["eu", "without `raw`"]),
        ("raw = [0, 32767]", "raw = [5, 5]", &["[5, 5]"]),
        ("raw = [0, 32767]", "raw = [5]", &["[5]", "two numbers"]),
        ("[32767, 65535]", "[65536]", &["65536", "-32768 to 65535"]),
        ("[32767, 65535]", "[1.5]", &["1.5", "whole"]),
        ("bad_when = true", "bad_wen = true", &["bad_wen", "bad_when"]),
        ("\"DI15\"", "\"HR15\"", &["`bit`"]),
        ("\"DI15\"", "\"DI15\", bit = 1", &["bit 1"]),
        ("\"DI15\"", "\"15\"", &["15", "DI1"]),
        ("abs = 0.5", "abs = -0.5", &["-0.5"]),
        ("max_silence_s = 90", "max_silence_s = 0", &["max_silence_s", "0"]),
    ] {
        let text = format!("{HEAD}{PLC}{}", POINT.replacen(old, new, 1));
        let PlantError(problems) = parse(&text).unwrap_err();
        let is_told = |p: &Problem| words.iter().all(|w| p.message.contains(w)) && p.line > 23;
        assert!(problems.iter().any(is_told), "{new:?}: {problems:?}");
    }
}

#[test]
fn a_register_map_has_the_same_keys_and_survives_being_written() {
    let source = "[[source]]\nid = \"plc\"\nkind = \"modbus-tcp\"\nhost = \"h\"\npoints_csv = \"map.csv\"\n";
    let read = |map: &str| {
        let text = format!("{HEAD}{source}");
        let plant = PlantFile::parse(&text, "dir/x.plant.toml", &|_| Ok(map.to_owned()))?;
        match plant.sources[0].kind.clone() {
            SourceKind::Modbus(modbus) => Ok((modbus.points, plant.tags)),
            other => panic!("{other:?}"),
        }
    };
    let map = "tag,unit_id,address,type,order,unit,raw,eu,bad_raw,status,deadband\n\
               NOX,3,IR7,int16,,,0;32767,0;250,32767;65535,DI15;true,0.5;90\n\
               AT,1,400001,float32,CDAB,degF,,,-9999.9,HR101;3;false,0\n";
    let (points, tags) = read(map).unwrap();
    let table = modbus(&format!("{HEAD}{PLC}{POINT}")).unwrap();
    assert_eq!(points[0], table.points[1], "the same as in the plant file");
    let written = register_map(&points, &tags);
    assert_eq!(read(&written).unwrap().0, points, "{written}");
    for (old, new, word) in [
        ("0;32767", "0-32767", "0-32767"),
        ("32767;65535", "x", "bad_raw"),
        ("DI15;true", "DI15", "DI15;true"),
        ("HR101;3;false", "HR101;16;false", "15"),
        ("0.5;90", "a;90", "0.5;60"),
    ] {
        let PlantError(problems) = read(&map.replacen(old, new, 1)).unwrap_err();
        assert!(
            problems[0].message.contains(word) && problems[0].line > 1,
            "{problems:?}"
        );
    }
}

#[test]
fn a_request_may_hold_more_bits_than_registers() {
    let with = |text: &str| {
        let text = format!("{HEAD}{}{}{POINT}", PLC.replacen("poll_ms = 500\n", text, 1), "");
        modbus(&text).map(|m| (m.polling.max_registers, m.polling.max_bits))
    };
    assert_eq!(with("").unwrap(), (125, 2000));
    assert_eq!(with("max_registers = 10\n").unwrap(), (10, 10));
    assert_eq!(with("max_registers = 500\n").unwrap(), (125, 500));
    assert!(with("max_registers = 2001\n").is_err());
    let registers = format!("{HEAD}{}", PLC.replacen("poll_ms = 500\n", "max_registers = 126\n", 1));
    assert!(
        parse(&registers).unwrap_err().to_string().contains("125"),
        "no point is a bit"
    );
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let mqtt = "[[source]]\nid = \"b\"\nkind = \"mqtt\"\nhost = \"h\"\nclient_id = \"c\"\npassword = \"hunter2\"\n[[source.topic]]\ntopic = \"a/{tag}\"\n";
    let text = parse(&format!("{HEAD}{mqtt}")).unwrap_err().to_string();
    assert!(text.contains("env:NAME") && !text.contains("hunter2"), "{text}");
}

#[test]
fn who_changed_the_file_is_told_with_the_reason_or_not_at_all() {
    let with = |change: &str| parse(&format!("{HEAD}{change}"));
    assert_eq!(with("").unwrap().change, None);
    let note = with("[change]\nby = \" A. Martin \"\nwhy = \"new permit\"\n")
        .unwrap()
        .change
        .unwrap();
    assert_eq!((note.by.as_str(), note.why.as_str()), ("A. Martin", "new permit"));
    for (change, word) in [
        ("[change]\nby = \"A\"\n", "why"),
        ("[change]\nby = \"A\"\nwhy = \" \"\n", "empty"),
        ("[change]\nby = \"A\"\nwhy = \"b\"\nwhen = \"now\"\n", "when"),
    ] {
        let text = with(change).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_topic_gives_the_tag_its_name() {
    let mqtt = "[[source]]\nid = \"b\"\nkind = \"mqtt\"\nhost = \"h\"\nclient_id = \"c\"\n[[source.topic]]\ntopic = \"plant/{tag}/value\"\n";
    let plant = parse(&format!("{HEAD}{mqtt}")).unwrap();
    let SourceKind::Mqtt(broker) = &plant.sources[0].kind else {
        panic!()
    };
    let topic = &broker.topics[0];
    assert_eq!(topic.filter(), "plant/+/value");
    assert_eq!(topic.tag_in("plant/AT/value"), Some("AT"));
    assert_eq!(topic.tag_in("plant/AT/other"), None);
    assert_eq!(topic.tag_in("plant/AT"), None);
    assert_eq!(plant.source_tags(&plant.sources[0]), [TagId(0), TagId(1)]);
}

#[test]
fn one_tag_has_one_source() {
    let second = PLC.replace("\"plc\"", "\"other\"");
    let text = parse(&format!("{HEAD}{PLC}{second}")).unwrap_err().to_string();
    assert!(text.contains("already given by source \"plc\""), "{text}");
}

#[test]
fn a_limit_may_stand_on_a_prediction() {
    let model = "[[model]]\ntarget = \"NOX\"\nfile = \"pretrained:NOX\"\naverage_s = 60\n[[limit]]\ntag = \"NOX_PRED\"\nhigh = 75.0\n";
    let plant = parse(&format!("{HEAD}{model}")).unwrap();
    assert_eq!(plant.limits[0].tag.as_str(), "NOX_PRED");
    assert_eq!(plant.models[0].file, ModelFile::Pretrained("NOX".into()));
    assert!(parse(&format!("{HEAD}{}", model.replace("\"NOX_PRED\"", "\"CO_PRED\""))).is_err());
}

#[test]
fn a_source_that_other_machines_reach_has_a_token() {
    let http = |more: &str| parse(&format!("{HEAD}[[source]]\nid = \"h\"\nkind = \"http\"\n{more}"));
    let plant = http("").unwrap();
    let SourceKind::Http(settings) = &plant.sources[0].kind else {
        panic!()
    };
    assert!(settings.listen.ip().is_loopback() && settings.path == "/readings");
    assert_eq!(plant.source_tags(&plant.sources[0]), [TagId(0), TagId(1)]);
    let plant = http("listen = \"0.0.0.0:8080\"\ntoken = \"env:T\"\ntags = [\"NOX\"]\n").unwrap();
    assert_eq!(plant.source_tags(&plant.sources[0]), [TagId(1)]);
    for (more, words) in [
        ("listen = \"0.0.0.0:8080\"\n", "token"),
        ("listen = \"[::]:8080\"\n", "token"),
        ("listen = \"8080\"\n", "127.0.0.1:8080"),
        ("token = \"s3cret\"\n", "env:NAME"),
        ("path = \"readings\"\n", "/readings"),
        ("path = \"/a{b}\"\n", "letters"),
        ("tags = []\n", "empty"),
        ("tags = [\"XX\"]\n", "XX"),
        ("max_body_bytes = 1\n", "1024"),
        ("port = 1\n", "unknown key `port`"),
    ] {
        let PlantError(problems) = http(more).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].message.contains(words) && problems[0].line == 17,
            "{more}: {problems:?}"
        );
        assert!(!problems[0].message.contains("s3cret"));
    }
}

#[test]
fn a_replay_names_its_columns_or_takes_what_is_left() {
    let replay = |more: &str| parse(&format!("{HEAD}[[source]]\nid = \"r\"\nkind = \"replay\"\n{more}"));
    let plant =
        replay("file = \"h.csv\"\n[[source.column]]\ntag = \"AT\"\ncolumn = \"T1\"\nunit = \"degF\"\n").unwrap();
    let SourceKind::Replay(settings) = &plant.sources[0].kind else {
        panic!()
    };
    assert_eq!((settings.speed, settings.stamp), (1.0, ReplayStamp::Arrival));
    let column = &settings.columns.as_ref().unwrap()[0];
    assert!(column.heading == "T1" && (212.0 * column.factor + column.offset - 100.0).abs() < 1e-9);
    for (more, words) in [
        ("", "file"),
        ("file = \"\"\n", "empty"),
        ("file = \"h\"\nspeed = 0\n", "0.001"),
        ("file = \"h\"\nstamp = \"now\"\n", "arrival"),
        ("file = \"h\"\nloop = true\nstamp = \"file\"\n", "loop"),
        ("file = \"h\"\n[[source.column]]\ncolumn = \"AT\"\n", "tag"),
    ] {
        let PlantError(problems) = replay(more).unwrap_err();
        assert!(problems[0].message.contains(words), "{more}: {problems:?}");
    }
}

#[test]
fn two_sources_cannot_both_take_what_is_left() {
    let http = "[[source]]\nid = \"h\"\nkind = \"http\"\n";
    let replay = "[[source]]\nid = \"r\"\nkind = \"replay\"\nfile = \"h.csv\"\n";
    let PlantError(problems) = parse(&[HEAD, http, replay].concat()).unwrap_err();
    assert!(problems[0].message.contains("\"h\" and source \"r\""), "{problems:?}");
    let column = "[[source.column]]\ntag = \"AT\"\n";
    let plant = parse(&[HEAD, http, replay, column].concat()).unwrap();
    assert_eq!(plant.source_tags(&plant.sources[0]), [TagId(1)]);
    assert_eq!(plant.source_tags(&plant.sources[1]), [TagId(0)]);
}
