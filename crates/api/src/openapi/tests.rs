//! The document and the route table say the same.

use super::DOCUMENT;
use crate::route::ROUTES;
use crate::scope::{Needs, Scope};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(DOCUMENT).expect("openapi.json is JSON")
}

#[test]
fn every_route_is_documented_and_every_documented_path_is_a_route() {
    let routed: BTreeSet<(String, String, String)> = ROUTES
        .iter()
        .map(|route| {
            (
                route.path.to_owned(),
                route.method.as_str().to_lowercase(),
                route.operation.name().to_owned(),
            )
        })
        .collect();
    assert_eq!(routed.len(), ROUTES.len(), "a route is there twice");

    let document = document();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let id = operation["operationId"].as_str().unwrap().to_owned();
                documented.insert((path.clone(), method.clone(), id));
            }
        }
    }
    assert_eq!(documented, routed);
}

#[test]
fn every_path_parameter_is_declared() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let in_path: BTreeSet<&str> = path
            .split('{')
            .skip(1)
            .map(|part| part.split('}').next().unwrap())
            .collect();
        let declared: BTreeSet<&str> = item["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
            .iter()
            .map(|parameter| resolve(&document, parameter)["name"].as_str().unwrap())
            .collect();
        assert_eq!(declared, in_path, "{path}");
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    collect_references(&document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').expect("references are local");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (kind, components) in document["components"].as_object().unwrap() {
        if kind == "securitySchemes" {
            // They are referred to by their names.
            continue;
        }
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "{reference} is not used");
        }
    }
}

/// The members of an object, also those that are there twice.
struct Members(Vec<(String, Self)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> serde::de::Visitor<'de> for Seen {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(item) = list.next_element()? {
                    members.push((members.len().to_string(), item));
                }
                Ok(Members(members))
            }

            fn visit_str<E>(self, _: &str) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }

            fn visit_unit<E>(self) -> Result<Members, E> {
                Ok(Members(Vec::new()))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl Members {
    fn assert_unique(&self, place: &str) {
        let mut seen = BTreeSet::new();
        for (name, value) in &self.0 {
            assert!(seen.insert(name), "{place}/{name} is there twice");
            value.assert_unique(&format!("{place}/{name}"));
        }
    }
}

#[test]
fn nothing_is_described_twice_under_one_name() {
    let document: Members = serde_json::from_str(DOCUMENT).unwrap();
    document.assert_unique("");
}

#[test]
fn every_operation_of_the_api_says_how_it_is_refused() {
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "parameters" || !path.starts_with("/v1/") {
                continue;
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            if path != "/v1/openapi.json" {
                assert!(responses.contains_key("default"), "{method} {path}");
            }
        }
    }
}

#[test]
fn every_operation_says_which_scope_it_needs() {
    let document = document();
    for route in ROUTES {
        let method = route.method.as_str().to_lowercase();
        let security = &document["paths"][route.path][method]["security"];
        let expected = match route.needs {
            Needs::Nothing => json!([]),
            Needs::Token => json!([{"token": []}]),
            Needs::Scope(scope) => json!([{"token": [scope.as_str()]}]),
        };
        assert_eq!(security, &expected, "{}", route.operation.name());
    }
    let listed = &document["components"]["schemas"]["Scope"]["enum"];
    let all: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(listed, &json!(all));
}

fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    match value["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("the reference leads somewhere"),
        None => value,
    }
}

fn collect_references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                into.insert(reference.clone());
            }
            fields
                .values()
                .for_each(|field| collect_references(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}
