//! `spBv1.0/{group}/{message}/{edge node}[/{device}]`.

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// NBIRTH, DBIRTH: all metrics, with names, types and aliases.
    Birth,
    /// NDATA, DDATA: some metrics, by name or alias.
    Data,
    /// NDEATH, DDEATH.
    Death,
    /// Commands and states: not for us.
    Other,
}

/// A topic, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The group of edge nodes.
    pub group: &'a str,
    /// What the message is.
    pub kind: Kind,
    /// The edge node.
    pub edge: &'a str,
    /// Its device; "" where the message is the edge node's own.
    pub device: &'a str,
}

impl<'a> Topic<'a> {
    /// None when it is no Sparkplug topic.
    pub fn parse(topic: &'a str) -> Option<Self> {
        let mut levels = topic.split('/');
        let (Some("spBv1.0"), group) = (levels.next(), levels.next()?) else {
            return None;
        };
        let Some(message) = levels.next() else {
            // spBv1.0/STATE/{host}
            return Some(Self {
                group,
                kind: Kind::Other,
                edge: "",
                device: "",
            });
        };
        let (edge, device) = (levels.next().unwrap_or_default(), levels.next());
        let kind = match (message, device) {
            ("NBIRTH", None) | ("DBIRTH", Some(_)) => Kind::Birth,
            ("NDATA", None) | ("DDATA", Some(_)) => Kind::Data,
            ("NDEATH", None) | ("DDEATH", Some(_)) => Kind::Death,
            _ => Kind::Other,
        };
        (levels.next().is_none()).then_some(Self {
            group,
            kind,
            edge,
            device: device.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_those_of_the_specification() {
        let topic = Topic::parse("spBv1.0/G/DDATA/edge/gt1").unwrap();
        assert_eq!(
            (topic.group, topic.kind, topic.edge, topic.device),
            ("G", Kind::Data, "edge", "gt1")
        );
        let kind = |t| Topic::parse(t).map(|t| t.kind);
        assert_eq!(kind("spBv1.0/G/NBIRTH/edge"), Some(Kind::Birth));
        assert_eq!(kind("spBv1.0/G/NDEATH/edge"), Some(Kind::Death));
        assert_eq!(kind("spBv1.0/G/NCMD/edge"), Some(Kind::Other));
        assert_eq!(kind("spBv1.0/G/NBIRTH/edge/device"), Some(Kind::Other));
        assert_eq!(kind("spBv1.0/STATE/host"), Some(Kind::Other));
        assert_eq!(kind("spAv1.0/G/NBIRTH/edge"), None);
        assert_eq!(kind("spBv1.0/G/DDATA/edge/gt1/more"), None);
    }
}
