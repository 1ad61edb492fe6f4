//! Reads the members of one input and remembers everything that is wrong with it.
//!
//! Each read gives `Some(value)` or, after noting a violation, `None`; the struct is put together
//! in [`Reader::finish`], which answers with all violations at once:
//!
//! ```
//! # use aws::rest_json::Input;
//! # use aws::reader::Reader;
//! # use aws::AccountId;
//! # struct DescribeDomain { domain: String, owner: Option<AccountId> }
//! fn read(input: &Input) -> Result<DescribeDomain, aws::Fault> {
//!     let mut read = Reader::new(input);
//!     let domain = read.query("domain", "domain").required();
//!     let owner = read.query("domain-owner", "domainOwner").optional();
//!     read.finish(|| Some(DescribeDomain { domain: domain?, owner: owner? }))
//! }
//! ```
//!
//! The first name is the one on the wire, the second the member's in the service model, which is
//! what error texts use.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::member::{Kind, Member, Violation, Violations};
use crate::query::Form;
use crate::rest_json::Input;

/// Walks through one input, or one structure inside it.
#[derive(Debug)]
pub struct Reader<'a> {
    top: Top<'a>,
    /// Where nested members are, for example `tags.1.member.`.
    path: String,
    violations: Violations,
}

#[derive(Debug, Clone)]
enum Top<'a> {
    Input(&'a Input),
    Object(&'a Map<String, Value>),
    Form(&'a Form, String),
}

impl<'a> Reader<'a> {
    /// Reads a REST-JSON request.
    pub fn new(input: &'a Input) -> Self {
        Self::of(Top::Input(input), String::new())
    }

    /// Reads a form of the Query protocol.
    pub fn of_form(form: &'a Form) -> Self {
        Self::of(Top::Form(form, String::new()), String::new())
    }

    fn of(top: Top<'a>, path: String) -> Self {
        Self {
            top,
            path,
            violations: Violations::default(),
        }
    }

    /// A parameter of the query string.
    pub fn query(&mut self, wire: &str, member: &str) -> Field<'_, 'a> {
        let node = match self.top {
            Top::Input(input) => input.query(wire).map(Node::Text),
            _ => None,
        };
        self.field(node, member)
    }

    /// A header.
    pub fn header(&mut self, wire: &str, member: &str) -> Field<'_, 'a> {
        let node = match self.top {
            Top::Input(input) => input.header(wire).map(Node::Text),
            _ => None,
        };
        self.field(node, member)
    }

    /// A member of the JSON body, or of the structure this reader stands in. `null` is absent.
    pub fn body(&mut self, wire: &str, member: &str) -> Field<'_, 'a> {
        let object = match self.top {
            Top::Input(input) => Some(input.body()),
            Top::Object(object) => Some(object),
            Top::Form(..) => None,
        };
        let value = object.and_then(|object| object.get(wire));
        let node = value.filter(|value| !value.is_null()).map(Node::Json);
        self.field(node, member)
    }

    /// A parameter of the form, or of the structure this reader stands in.
    pub fn form(&mut self, wire: &str, member: &str) -> Field<'_, 'a> {
        let node = match &self.top {
            Top::Form(form, prefix) => {
                let name = format!("{prefix}{wire}");
                form.has(&name).then_some(Node::Form(form, name))
            }
            _ => None,
        };
        self.field(node, member)
    }

    fn field(&mut self, node: Option<Node<'a>>, member: &str) -> Field<'_, 'a> {
        Field {
            member: format!("{}{member}", self.path),
            node,
            reader: self,
        }
    }

    /// Notes a rule that concerns more than one member.
    pub fn refuse(&mut self, member: &str, value: Option<&str>, violation: &Violation) {
        let member = format!("{}{member}", self.path);
        self.violations.add(&member, value, violation);
    }

    /// Puts the input together, or answers with everything that is wrong with it.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Fault> {
        if let Some(fault) = self.violations.fault() {
            return Err(fault);
        }
        // Every read that gives `None` has noted why, so only a builder that gives up by itself
        // comes here.
        build().ok_or_else(Fault::internal)
    }
}

/// One value of the input, found or not.
#[derive(Debug)]
pub struct Field<'r, 'a> {
    reader: &'r mut Reader<'a>,
    member: String,
    node: Option<Node<'a>>,
}

#[derive(Debug, Clone)]
enum Node<'a> {
    Text(&'a str),
    Json(&'a Value),
    Form(&'a Form, String),
}

impl<'a> Field<'_, 'a> {
    /// The value; absence is a violation.
    pub fn required<T: Member>(self) -> Option<T> {
        self.required_as(T::KIND, T::parse)
    }

    /// The value if it is there: `Some(None)` when absent, `None` when wrong.
    pub fn optional<T: Member>(self) -> Option<Option<T>> {
        self.optional_as(T::KIND, T::parse)
    }

    /// [`Field::required`] text with a parser instead of a [`Member`], for types of other crates.
    pub fn required_with<T>(self, parse: impl FnOnce(&str) -> Result<T, Violation>) -> Option<T> {
        self.required_as(Kind::Text, parse)
    }

    /// [`Field::optional`] text with a parser instead of a [`Member`].
    pub fn optional_with<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        self.optional_as(Kind::Text, parse)
    }

    /// A list of at most that many plain values.
    pub fn required_list<T: Member>(self, at_most: usize) -> Option<Vec<T>> {
        self.required_list_of(at_most, required)
    }

    /// The same, `Some(None)` when absent. An empty list is not absent.
    pub fn optional_list<T: Member>(self, at_most: usize) -> Option<Option<Vec<T>>> {
        self.optional_list_of(at_most, required)
    }

    /// A JSON object from plain values to plain values, `Some(None)` when absent.
    pub fn optional_map<K: Member, V: Member>(self) -> Option<Option<Vec<(K, V)>>> {
        self.optional_map_of(required, required)
    }

    /// A list of at most that many entries, each read by `item`.
    ///
    /// Entries are named `tags.1.member`. In forms `X.member.N` and the flat `X.N` are both read.
    pub fn required_list_of<T>(
        self,
        at_most: usize,
        item: impl FnMut(Field<'_, 'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        if self.node.is_none() {
            return self.refuse(None, &Violation::Null);
        }
        self.optional_list_of(at_most, item).flatten()
    }

    /// The same, `Some(None)` when absent.
    pub fn optional_list_of<T>(
        self,
        at_most: usize,
        mut item: impl FnMut(Field<'_, 'a>) -> Option<T>,
    ) -> Option<Option<Vec<T>>> {
        let nodes: Vec<Node<'a>> = match &self.node {
            None => return Some(None),
            Some(Node::Json(Value::Array(values))) => values.iter().map(Node::Json).collect(),
            Some(Node::Form(form, name)) => {
                let names = form.entries(name).into_iter();
                names.map(|name| Node::Form(form, name)).collect()
            }
            Some(_) => return self.refuse_type(Kind::List),
        };
        if nodes.len() > at_most {
            let count = format!("{} entries", nodes.len());
            return self.refuse(Some(&count), &Violation::TooLong(at_most));
        }
        let mut items = Vec::with_capacity(nodes.len());
        for (index, node) in nodes.into_iter().enumerate() {
            let field = Field {
                member: format!("{}.{}.member", self.member, index + 1),
                node: Some(node).filter(|node| !matches!(node, Node::Json(Value::Null))),
                reader: &mut *self.reader,
            };
            items.push(item(field));
        }
        items.into_iter().collect::<Option<Vec<T>>>().map(Some)
    }

    /// The same with `key` and `value` reading the entries, which are named `revisions.KEY`.
    pub fn optional_map_of<K, V>(
        self,
        mut key: impl FnMut(Field<'_, 'a>) -> Option<K>,
        mut value: impl FnMut(Field<'_, 'a>) -> Option<V>,
    ) -> Option<Option<Vec<(K, V)>>> {
        let object = match self.node {
            None => return Some(None),
            Some(Node::Json(Value::Object(object))) => object,
            Some(_) => return self.refuse_type(Kind::Structure),
        };
        let mut entries = Vec::with_capacity(object.len());
        for (name, content) in object {
            let found = key(Field {
                member: format!("{}.key", self.member),
                node: Some(Node::Text(name)),
                reader: &mut *self.reader,
            });
            let content = value(Field {
                member: format!("{}.{name}", self.member),
                node: Some(Node::Json(content)).filter(|_| !content.is_null()),
                reader: &mut *self.reader,
            });
            entries.push(found.zip(content));
        }
        entries.into_iter().collect::<Option<Vec<_>>>().map(Some)
    }

    /// A nested structure; absence is a violation.
    pub fn required_structure<T>(
        self,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        if self.node.is_none() {
            return self.refuse(None, &Violation::Null);
        }
        self.optional_structure(read).flatten()
    }

    /// A nested structure, `Some(None)` when absent.
    pub fn optional_structure<T>(
        self,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        let top = match &self.node {
            None => return Some(None),
            Some(Node::Json(Value::Object(object))) => Top::Object(object),
            Some(Node::Form(form, name)) => Top::Form(form, format!("{name}.")),
            Some(_) => return self.refuse_type(Kind::Structure),
        };
        let mut inner = Reader::of(top, format!("{}.", self.member));
        let value = read(&mut inner);
        self.reader.violations.append(&mut inner.violations);
        value.map(Some)
    }

    fn required_as<T>(
        self,
        kind: Kind,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<T> {
        if self.node.is_none() {
            return self.refuse(None, &Violation::Null);
        }
        self.optional_as(kind, parse).flatten()
    }

    #[expect(
        clippy::option_option,
        reason = "outside: could it be read; inside: is it there"
    )]
    fn optional_as<T>(
        self,
        kind: Kind,
        parse: impl FnOnce(&str) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        let text = match (&self.node, kind) {
            (None, _) => return Some(None),
            (Some(Node::Text(text)), _) => Cow::Borrowed(*text),
            (Some(Node::Json(Value::String(text))), Kind::Text) => Cow::Borrowed(text.as_str()),
            (Some(Node::Json(Value::Number(number))), Kind::Integer) => {
                Cow::Owned(number.to_string())
            }
            (Some(Node::Json(Value::Bool(value))), Kind::Boolean) => Cow::Owned(value.to_string()),
            (Some(Node::Form(form, name)), _) => Cow::Borrowed(form.get(name).unwrap_or("")),
            (Some(Node::Json(_)), _) => return self.refuse_type(kind),
        };
        match parse(&text) {
            Ok(value) => Some(Some(value)),
            Err(violation) => self.refuse(Some(&text), &violation),
        }
    }

    fn refuse_type<T>(self, kind: Kind) -> Option<T> {
        let value = match &self.node {
            Some(Node::Json(value)) => value.to_string(),
            Some(Node::Text(text)) => (*text).to_owned(),
            Some(Node::Form(form, name)) => form.get(name).unwrap_or("").to_owned(),
            None => String::new(),
        };
        self.refuse(Some(&value), &Violation::Type(kind))
    }

    /// Notes the violation; the `None` it gives is what the read gives.
    fn refuse<T>(self, value: Option<&str>, violation: &Violation) -> Option<T> {
        self.reader.violations.add(&self.member, value, violation);
        None
    }
}

/// [`Field::required`] for any lifetimes, which the method's own path is not.
fn required<T: Member>(field: Field<'_, '_>) -> Option<T> {
    field.required()
}
