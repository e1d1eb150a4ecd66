//! The JSON schema of the language, for editors that complete and check while one writes.

use schemars::generate::SchemaSettings;

use crate::written::ScenarioFile;

/// The schema as text: draft 2020-12, with a line's end at the end. `scenarios/schema.json` is a committed copy.
///
/// # Panics
/// Never: the schema is plain data.
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<ScenarioFile>();
    let mut text = serde_json::to_string_pretty(&schema).expect("broken invariant: a schema is plain data");
    text.push('\n');
    text
}
