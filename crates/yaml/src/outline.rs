//! The shape of a YAML text: what stands where, and inside what. It is made only after something went
//! wrong, to find what an error is about; it holds no types and checks nothing.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::Place;

/// Nodes in reading order: one that holds others stands before them.
pub(crate) struct Outline {
    nodes: Vec<Node>,
    /// The innermost list or map that had no end when reading stopped.
    unclosed: Option<usize>,
}

pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) role: Role,
    pub(crate) place: Place,
    /// Index of the list or map it is in.
    parent: Option<usize>,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A scalar without quotes.
    Plain(String),
    /// A scalar in quotes, or a block of text.
    Text(String),
    List,
    Map,
    /// A repetition of the node with this index, if that is known.
    Alias(Option<usize>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A document as a whole.
    Root,
    /// In a list.
    Item,
    /// In a map, before the colon.
    Key,
    /// In a map, after the colon; its key is the node with this index.
    Value(usize),
}

impl Outline {
    /// The outline of `text`, as far as it can be read and no farther than `limit` nodes.
    pub(crate) fn of(text: &str, limit: usize) -> Outline {
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<Open> = Vec::new();
        let mut anchors: BTreeMap<usize, usize> = BTreeMap::new();
        for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
            if nodes.len() >= limit {
                break;
            }
            let holds_others = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
            if let Some(anchor) = event.anchor_id() {
                anchors.insert(anchor, nodes.len());
            }
            let kind = match event {
                Event::Scalar(value, ScalarStyle::Plain, ..) => Kind::Plain(value.into_owned()),
                Event::Scalar(value, ..) => Kind::Text(value.into_owned()),
                Event::SequenceStart(..) => Kind::List,
                Event::MappingStart(..) => Kind::Map,
                Event::Alias(anchor) => Kind::Alias(anchors.get(&anchor).copied()),
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    continue;
                }
                _ => continue,
            };
            let index = nodes.len();
            let parent = open.last().map(|open| open.index);
            let role = open.last_mut().map_or(Role::Root, |open| open.role_of_next(index));
            if holds_others {
                open.push(Open { index, is_map: kind == Kind::Map, key: None });
            }
            nodes.push(Node { kind, role, place: place(&span), parent });
        }
        Outline { nodes, unclosed: open.last().map(|open| open.index) }
    }

    /// The document as a whole.
    pub(crate) fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    /// What was read last before reading stopped.
    pub(crate) fn last(&self) -> Option<&Node> {
        self.nodes.last()
    }

    /// The innermost list or map whose end is missing.
    pub(crate) fn unclosed(&self) -> Option<&Node> {
        self.nodes.get(self.unclosed?)
    }

    /// What stands at `node`, or what it repeats if it is an alias.
    pub(crate) fn meaning<'a>(&'a self, node: &'a Node) -> &'a Node {
        match node.kind {
            Kind::Alias(Some(target)) => self.nodes.get(target).unwrap_or(node),
            _ => node,
        }
    }

    /// The key of `node`, if it is the value of one.
    pub(crate) fn key_of(&self, node: &Node) -> Option<&Node> {
        match node.role {
            Role::Value(key) => self.nodes.get(key),
            _ => None,
        }
    }

    /// The outermost node that begins at `place`.
    pub(crate) fn at(&self, place: Place) -> Option<&Node> {
        self.nodes.iter().find(|node| node.place.start == place.start)
    }

    /// The key at `place`, and its index.
    pub(crate) fn key_at(&self, place: Place) -> Option<(usize, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .find(|(_, node)| node.role == Role::Key && node.place.start == place.start)
    }

    /// The value of the key at `place`.
    pub(crate) fn value_of_key_at(&self, place: Place) -> Option<&Node> {
        let (key, _) = self.key_at(place)?;
        self.nodes.iter().find(|node| node.role == Role::Value(key))
    }

    /// Where the map is named that the key at `place` stands in: its own key, or else where it begins.
    pub(crate) fn owner_of_key_at(&self, place: Place) -> Option<Place> {
        let (_, key) = self.key_at(place)?;
        let map = self.nodes.get(key.parent?)?;
        match map.role {
            Role::Value(owner) => self.nodes.get(owner).map(|owner| owner.place),
            _ => Some(map.place),
        }
    }

    /// Whether anything stands inside `holder`, a list or a map of this outline.
    pub(crate) fn has_children(&self, holder: &Node) -> bool {
        self.nodes
            .iter()
            .filter_map(|node| node.parent)
            .any(|parent| std::ptr::eq(&raw const self.nodes[parent], holder))
    }

    /// The first key with the same text as the one at `place` in the same map, if it stands before it.
    pub(crate) fn earlier_twin(&self, place: Place) -> Option<&Node> {
        let (index, key) = self.key_at(place)?;
        self.nodes[..index]
            .iter()
            .find(|node| node.role == Role::Key && node.parent == key.parent && node.text() == key.text())
    }
}

impl Node {
    /// What was written, quotes and escapes aside.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) | Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it stands for no value at all.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// A list or map whose end has not come yet.
struct Open {
    index: usize,
    is_map: bool,
    /// The key whose value comes next.
    key: Option<usize>,
}

impl Open {
    fn role_of_next(&mut self, index: usize) -> Role {
        match (self.is_map, self.key.take()) {
            (false, _) => Role::Item,
            (true, Some(key)) => Role::Value(key),
            (true, None) => {
                self.key = Some(index);
                Role::Key
            }
        }
    }
}

fn place(span: &Span) -> Place {
    let start = span.start.byte_offset().unwrap_or(0);
    let end = span.end.byte_offset().unwrap_or(start).max(start);
    Place { line: span.start.line(), column: span.start.col() + 1, start, end }
}
