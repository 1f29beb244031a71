use crate::plant::{Checksum, LineParser, PlantError, PlantFile, SerialMode, SerialSource, SourceKind};
use std::time::Duration;

const HEAD: &str = "schema = 1\n[plant]\nname = \"P\"\nturbine = \"GT1\"\n[store]\npath = \"x\"\n[[tag]]\nname = \"NOX\"\nunit = \"mg/m3\"\n[[tag]]\nname = \"CO\"\nunit = \"mg/m3\"\n[[source]]\nid = \"a\"\nkind = \"serial\"\ndevice = \"/dev/ttyS0\"\n";

fn parse(source: &str) -> Result<SerialSource, String> {
    match PlantFile::parse(&format!("{HEAD}{source}"), "x", &|_| Err("none".into())) {
        Ok(plant) => match plant.sources[0].kind.clone() {
            SourceKind::Serial(serial) => Ok(serial),
            other => panic!("{other:?}"),
        },
        Err(PlantError(problems)) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn field(more: &str) -> String {
    format!("[[source.field]]\ntag = \"NOX\"\n{more}\n")
}

fn questions(source: &SerialSource) -> Vec<(&[u8], &str)> {
    let SerialMode::Request(requests) = &source.mode else {
        panic!()
    };
    requests
        .questions
        .iter()
        .map(|q| (q.bytes.as_slice(), q.text.as_str()))
        .collect()
}

#[test]
fn a_protocol_brings_its_own_framing_and_builds_its_questions() {
    let ak = parse(&format!(
        "parse = \"ak\"\nmode = {{ command = \"AKON\", every_ms = 500 }}\n{}",
        field("index = 0")
    ))
    .unwrap();
    assert_eq!(
        (ak.framing.start.as_slice(), ak.framing.end.as_slice()),
        (&b"\x02"[..], &b"\x03"[..])
    );
    assert_eq!(questions(&ak), [(&b"\x02 AKON K0\x03"[..], "AKON")]);
    let clink = "parse = \"clink\"\nchecksum = \"sum16\"\nmode = { request = [\"no\", \"nox\"], instrument_id = 42, timeout_ms = 300 }\n";
    let co = "[[source.field]]\ntag = \"CO\"\nrequest = \"no\"\nkey = \"no\"\n";
    let clink = parse(&format!("{clink}{}{co}", field("request = \"nox\"\nindex = 0"))).unwrap();
    assert_eq!(
        questions(&clink),
        [(&b"\xaano\r"[..], "no"), (&b"\xaanox\r"[..], "nox")]
    );
    assert_eq!((clink.fields[0].question, clink.fields[1].question), (1, 0));
    assert_eq!(clink.checksum, Checksum::Sum16);
    let nmea = parse(&format!("parse = \"nmea\"\n{}", field("key = \"MDA\"\nindex = 3"))).unwrap();
    assert_eq!(
        (nmea.framing.start.as_slice(), nmea.checksum),
        (&b"$"[..], Checksum::NmeaXor)
    );
    assert_eq!(nmea.stale_after, Duration::from_secs(10));
}

#[test]
fn a_request_is_sent_as_it_stands_with_its_control_bytes() {
    let source = format!(
        "framing = {{ idle_ms = 50 }}\nparse = \"regex\"\npattern = '(?<nox>\\S+) ppm'\nmode = {{ request = \"\\u0005M1\\r\", every_ms = 5000 }}\n{}",
        field("group = \"nox\"")
    );
    let source = parse(&source).unwrap();
    assert_eq!(questions(&source), [(&b"\x05M1\r"[..], "M1")]);
    assert_eq!(source.fields[0].index, 1);
    assert!(matches!(source.parser, LineParser::Regex(_)));
}

#[test]
fn commands_that_change_something_are_refused() {
    for command in ["SREM", "STBY", "EKAK", "SPAU K0", "\\u0002 SREM K0\\u0003"] {
        let text = format!(
            "parse = \"ak\"\nmode = {{ command = \"{command}\" }}\n{}",
            field("index = 0")
        );
        let error = parse(&text).unwrap_err();
        assert!(
            error.starts_with("x:18:") && error.contains("changes something"),
            "{command}: {error}"
        );
    }
    for command in ["set range 6", "SET mode local", "push enter", "\\u00aaset format 01\\r"] {
        let text = format!(
            "parse = \"clink\"\nmode = {{ request = \"{command}\", instrument_id = 1 }}\n{}",
            field("index = 0")
        );
        assert!(parse(&text).unwrap_err().contains("changes something"), "{command}");
    }
    let raw = format!(
        "framing = {{ end = \"\\u0003\" }}\nparse = \"csv\"\nmode = {{ request = \"\\u0002 SREM K0\\u0003\" }}\n{}",
        field("index = 0")
    );
    assert!(parse(&raw).unwrap_err().contains("changes something"));
}

#[test]
fn what_is_wrong_is_told_with_what_was_expected() {
    let csv = "framing = { end = \"\\n\" }\nparse = \"csv\"\n";
    let cases: &[(String, &[&str])] = &[
        (format!("parse = \"csv\"\n{}", field("index = 0")), &["framing"]),
        (
            format!("framing = {{ max_len = 9 }}\nparse = \"csv\"\n{}", field("index = 0")),
            &["end", "idle_ms"],
        ),
        (
            format!(
                "framing = {{ start = \"\\n\", end = \"\\n\" }}\nparse = \"csv\"\n{}",
                field("index = 0")
            ),
            &["same"],
        ),
        (
            format!(
                "framing = {{ end = \"\\n\", edn = 1 }}\nparse = \"csv\"\n{}",
                field("index = 0")
            ),
            &["edn"],
        ),
        (
            format!("framing = {{ end = \"€\" }}\nparse = \"csv\"\n{}", field("index = 0")),
            &["€"],
        ),
        (
            format!("{csv}checksum = \"md5\"\n{}", field("index = 0")),
            &["md5", "crc16-modbus"],
        ),
        (
            format!("parse = \"nmea\"\nchecksum = \"none\"\n{}", field("index = 1")),
            &["nmea-xor"],
        ),
        (
            format!("parse = \"nmea\"\n{}", field("key = \"x\"\nindex = 1")),
            &["WIMDA"],
        ),
        (format!("parse = \"ak\"\n{}", field("")), &["index", "key"]),
        (
            format!(
                "parse = \"clink\"\nmode = {{ command = \"nox\" }}\n{}",
                field("index = 0")
            ),
            &["instrument_id"],
        ),
        (
            format!("parse = \"clink\"\nmode = \"ask\"\n{}", field("index = 0")),
            &["ask", "stream"],
        ),
        (
            format!("parse = \"ak\"\nmode = {{ command = \"AKO\" }}\n{}", field("index = 0")),
            &["AKO", "four letters"],
        ),
        (
            format!(
                "parse = \"ak\"\nmode = {{ command = \"AKON\", channel = \"0\" }}\n{}",
                field("index = 0")
            ),
            &["K0"],
        ),
        (
            format!(
                "parse = \"ak\"\nmode = {{ command = [\"AKON\", \"ATEM\"] }}\n{}",
                field("index = 0")
            ),
            &["request", "ATEM"],
        ),
        (
            format!(
                "parse = \"ak\"\nmode = {{ command = [\"AKON\", \"ATEM\"] }}\n{}",
                field("request = \"AKON\"\nindex = 0")
            ),
            &["no field", "ATEM"],
        ),
        (format!("{csv}pattern = 'x'\n{}", field("index = 0")), &["pattern"]),
        (
            format!(
                "framing = {{ end = \"\\n\" }}\nparse = \"regex\"\npattern = '(x'\n{}",
                field("group = 1")
            ),
            &["regular expression"],
        ),
        (
            format!(
                "framing = {{ end = \"\\n\" }}\nparse = \"regex\"\npattern = '(?<a>x)'\n{}",
                field("group = \"b\"")
            ),
            &["b", "one of: a"],
        ),
        (
            format!(
                "framing = {{ end = \"\\n\" }}\nparse = \"regex\"\npattern = '(x)'\n{}",
                field("group = 2")
            ),
            &["2", "1 groups"],
        ),
        (
            format!(
                "parse = \"ak\"\nstale_after_ms = 500\nmode = {{ command = \"AKON\" }}\n{}",
                field("index = 0")
            ),
            &["stale_after_ms", "2000"],
        ),
        (format!("{csv}ts = \"field\"\n{}", field("index = 0")), &["arrival"]),
    ];
    for (text, words) in cases {
        let error = parse(text).unwrap_err();
        assert!(words.iter().all(|w| error.contains(w)), "{text}\n{error}");
    }
}
