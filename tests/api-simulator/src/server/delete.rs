//! DELETE.

use serde_json::{Value, json};

use super::answer::Answer;
use super::{Done, State, Target, metadata};

impl State {
    pub(super) fn delete(&mut self, target: &Target<'_>) -> Result<Done, Answer> {
        let options = target.request.body.value();
        let option = |pointer: &str| {
            let value = options.and_then(|options| options.pointer(pointer));
            value.and_then(Value::as_str)
        };
        if let Some("Foreground" | "Orphan") = option("/propagationPolicy") {
            return Err(Answer::bad_request("not simulated: this propagationPolicy"));
        }
        let Some(current) = self.existing(target) else {
            return Err(Answer::not_found(target.about()));
        };
        let object = &*current.shown;
        let (uid, version) = (
            metadata::text(object, "uid").unwrap_or_default(),
            metadata::text(object, "resourceVersion").unwrap_or_default(),
        );
        if let Some(wanted) = option("/preconditions/uid").filter(|wanted| *wanted != uid) {
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
            );
            return Err(Answer::conflict(target.about_kind(), &why));
        }
        let wanted = option("/preconditions/resourceVersion");
        if let Some(wanted) = wanted.filter(|wanted| *wanted != version) {
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({version}). The object might have been modified"
            );
            return Err(Answer::conflict(target.about_kind(), &why));
        }
        if metadata::finalizers(object).is_empty() {
            let status = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {
                    "name": target.name,
                    "group": target.kind.group,
                    "kind": target.kind.plural,
                    "uid": uid,
                },
            });
            return Ok(self.remove(target, Answer::json(200, status)));
        }
        if metadata::is_deleting(object) {
            return Ok(Answer::json(200, current.shown.clone()).into());
        }
        let mut deleting = Value::clone(&current.stored);
        metadata::mark_deleting(&mut deleting, target.asker.now);
        Ok(self.persist(target, 200, deleting))
    }
}
