//! PATCH.

use serde_json::Value;

use super::answer::Answer;
use super::replace::same_name;
use super::request::Body;
use super::{Done, State, Target};

impl State {
    pub(super) fn patch(&mut self, target: &Target<'_>) -> Result<Done, Answer> {
        let Some(current) = self.existing(target) else {
            return Err(Answer::not_found(target.about()));
        };
        let mut object = Value::clone(&current.shown);
        match &target.request.body {
            Body::MergePatch(patch) if patch.is_object() => json_patch::merge(&mut object, patch),
            Body::MergePatch(_) => {
                return Err(undecodable(
                    "json: cannot unmarshal array into Go value of type map[string]interface {}",
                ));
            }
            Body::JsonPatch(patch) => apply(&mut object, patch)?,
            Body::Nothing | Body::Json(_) | Body::Unreadable => {
                return Err(undecodable("unexpected end of JSON input"));
            }
        }
        let new = Self::read_object(target, object, Some(&current.shown))?;
        same_name(target, &new)?;
        self.update(target, &current, new)
    }
}

/// Applies a JSON patch as the server's library does: to replace what isn't there adds it.
fn apply(object: &mut Value, patch: &Value) -> Result<(), Answer> {
    let Some(operations) = patch.as_array() else {
        return Err(undecodable(
            "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ));
    };
    for operation in operations {
        let mut operation = operation.clone();
        let text = |name: &str| operation.get(name).and_then(Value::as_str);
        if text("op") == Some("replace")
            && text("path").is_some_and(|path| object.pointer(path).is_none())
            && let Some(operation) = operation.as_object_mut()
        {
            operation.insert("op".to_owned(), "add".into());
        }
        let operation = serde_json::from_value(operation).map_err(|_| unprocessable())?;
        json_patch::patch(object, &[operation]).map_err(|_| unprocessable())?;
    }
    Ok(())
}

fn undecodable(why: &str) -> Answer {
    Answer::bad_request(&format!("error decoding patch: {why}"))
}

/// A patch that can't be applied, a failed `test` for one.
fn unprocessable() -> Answer {
    Answer::failure(
        422,
        "Invalid",
        "the server rejected our request due to an error in our request",
        Some(serde_json::json!({})),
    )
}
