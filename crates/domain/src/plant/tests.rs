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
        ["modbus-tcp", "modbus-rtu", "serial", "mqtt"]
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

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    let mqtt = "[[source]]\nid = \"b\"\nkind = \"mqtt\"\nhost = \"h\"\nclient_id = \"c\"\npassword = \"hunter2\"\n[[source.topic]]\ntopic = \"a/{tag}\"\n";
    let text = parse(&format!("{HEAD}{mqtt}")).unwrap_err().to_string();
    assert!(text.contains("env:NAME") && !text.contains("hunter2"), "{text}");
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
