//! Messages: of a broker, of programs that post readings, of an interface.

use crate::{
    settings::{Settings, tags},
    within_memory,
};
use domain::{
    Status, TagId, Timestamp,
    plant::{MqttTopic, TopicTag},
};
use drivers::parsers::{
    http_body::{self, Names},
    mqtt_payload,
};

/// Where value, time and quality stand; then the payload.
pub fn mqtt_json(case: &[u8]) {
    let mut settings = Settings(case);
    let places = settings.byte();
    let pointer = |bit: u8, text: &str| (places & bit != 0).then(|| text.to_owned());
    let topic = MqttTopic {
        topic: "t".into(),
        tag: TopicTag::Fixed(TagId(0)),
        value: pointer(1, "/v").or(pointer(8, "/a/1/v")).unwrap_or_default(),
        time: pointer(2, "/ts"),
        quality: pointer(4, "/q"),
        factor: if places & 16 == 0 { 1.0 } else { 1e300 },
        offset: 0.0,
    };
    let Ok(message) = within_memory(|| mqtt_payload::parse(&topic, settings.rest())) else {
        return;
    };
    match message.value {
        Some(value) => assert!(value.is_finite()),
        None => assert!(matches!(message.status, Status::Bad(_)), "no value, and not bad"),
    }
    assert_eq!(message.time.is_some(), topic.time.is_some());
    in_the_calendar(message.time);
}

/// The body of a POST.
pub fn http_body(body: &[u8]) {
    let tags = tags(&[("AT", "degC"), ("CDP", "bar"), ("NOX", "mg/m3")]);
    let names = Names::new(tags, &[TagId(0), TagId(1)]);
    let (entries, errors) = within_memory(|| http_body::parse(body, &names));
    let lines = body.split(|&b| b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    assert_eq!(
        entries.len() + errors.len(),
        lines.count(),
        "every line is taken or told"
    );
    for entry in &entries {
        assert!(entry.tag.0 < 2, "a tag that another source gives");
        match entry.value {
            Some(value) => assert!(value.is_finite()),
            None => assert!(matches!(entry.status, Status::Bad(_)), "no value, and not bad"),
        }
        in_the_calendar(entry.time);
    }
    let arrival = Timestamp::from_micros(1_772_323_200_000_000);
    let frames = within_memory(|| http_body::frames(&entries, arrival));
    assert_eq!(
        frames.iter().map(|(_, e)| e.len()).sum::<usize>(),
        entries.len(),
        "every entry has its frame"
    );
    for (_, entries) in frames {
        let is_twice = |i: usize| entries[..i].iter().any(|e| e.tag == entries[i].tag);
        assert!(!(0..entries.len()).any(is_twice), "a tag twice in a frame");
    }
}

/// A frame of the protocol between engine and interface, read as either side would. Its first byte is made the version that
/// is spoken: others are refused at once.
pub fn view_frame(frame: &[u8]) {
    let _ = within_memory(|| view::decode::<view::Request>(frame));
    let mut frame = frame.to_vec();
    if let Some(version) = frame.first_mut() {
        *version = view::PROTOCOL;
    }
    if let Ok(request) = within_memory(|| view::decode::<view::Request>(&frame)) {
        view::encode(&request).unwrap();
    }
    if let Ok(update) = within_memory(|| view::decode::<view::Update>(&frame)) {
        view::encode(&update).unwrap();
    }
}

fn in_the_calendar(time: Option<Timestamp>) {
    if let Some(time) = time {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
}
