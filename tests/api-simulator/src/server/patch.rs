//! PATCH.

use serde_json::Value;

use super::answer::Answer;
use super::request::Body;
use super::{Done, State, Target};

impl State {
    pub(super) fn patch(&mut self, target: &Target<'_>) -> Result<Done, Answer> {
        let Some(current) = self.existing(target) else {
            return Err(Answer::not_found(target.about()));
        };
        let mut object = Value::clone(&current.shown);
        match &target.request.body {
            Body::MergePatch(patch) => json_patch::merge(&mut object, patch),
            Body::JsonPatch(patch) => {
                let patch: json_patch::Patch = serde_json::from_value(Value::clone(patch))
                    .map_err(|error| Answer::bad_request(&error.to_string()))?;
                json_patch::patch(&mut object, &patch).map_err(|_| unprocessable())?;
            }
            Body::Nothing | Body::Json(_) | Body::Unreadable => {
                return Err(Answer::bad_request("the body is no patch"));
            }
        }
        let new = Self::read_object(target, object, Some(&current.shown))?;
        self.update(target, &current, new)
    }
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
