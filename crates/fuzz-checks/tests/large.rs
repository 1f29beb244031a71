//! Large messages that hold almost nothing: a parser takes no more memory than what it gives is worth.

/// A value beside so many others.
fn beside(others: &str) -> Vec<u8> {
    format!("\x01{{\"x\":[{others}0],\"v\":1.5}}").into_bytes()
}

#[test]
fn a_document_around_a_value_is_not_kept() {
    fuzz_checks::mqtt_json(&beside(&"0,".repeat(250_000)));
    fuzz_checks::mqtt_json(&beside(&"{\"a\":[]},".repeat(50_000)));
    fuzz_checks::mqtt_json(&beside(&"[".repeat(500_000)));
    let name = "k".repeat(400_000);
    fuzz_checks::mqtt_json(format!("\x01{{\"{name}\":0,\"v\":1}}").as_bytes());
}

#[test]
fn lines_without_end_are_not_gathered() {
    let mut stream = vec![0, 255, 255, 0, 0];
    stream.extend(b"x".repeat(1_000_000));
    fuzz_checks::lines(&stream);
    fuzz_checks::http_body(&b"[".repeat(1_000_000));
    let mut file = b"t,AT\n".to_vec();
    file.extend(b"\"".repeat(1_000_000));
    fuzz_checks::history(&file);
}
