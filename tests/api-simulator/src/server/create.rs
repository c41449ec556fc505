//! POST.

use serde_json::Value;

use super::answer::{Answer, Cause};
use super::{Done, State, Target, metadata};

impl State {
    pub(super) fn create(&mut self, target: &Target<'_>) -> Result<Done, Answer> {
        let body = Self::body(target)?;
        let object = Self::read_object(target, body, None)?;
        self.make(target, object)
    }

    /// Makes an object of what was read.
    pub(super) fn make(&mut self, target: &Target<'_>, mut object: Value) -> Result<Done, Answer> {
        if metadata::text(&object, "resourceVersion").is_some() {
            return Err(Answer::internal(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let prefix = metadata::text(&object, "generateName").map(str::to_owned);
        let name = metadata::text(&object, "name").map(str::to_owned);
        let name = match (name, prefix) {
            (Some(name), _) => Some(name),
            (None, Some(prefix)) => Some(format!("{prefix}{}", self.random.suffix())),
            (None, None) => None,
        };
        let target = Target {
            name: name.clone().unwrap_or_default(),
            kind: target.kind.clone(),
            ..*target
        };
        if target.kind.has_status_subresource()
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
        let mut causes = Vec::new();
        match &name {
            Some(name) => causes.extend(wrong_name(name)),
            None => causes.push(Cause {
                reason: "FieldValueRequired",
                message: "Required value: name or generateName is required".to_owned(),
                field: "metadata.name".to_owned(),
            }),
        }
        causes.extend(target.kind.validate(&object, None, false));
        if !causes.is_empty() {
            return Err(Answer::invalid(target.about_kind(), &causes));
        }
        if let Some(other) = self.existing(&target) {
            let deleting = metadata::is_deleting(&other.shown);
            return Err(Answer::already_exists(target.about(), deleting));
        }
        if let Some(metadata) = metadata::of_mut(&mut object) {
            for field in [
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
            ] {
                metadata.remove(field);
            }
            metadata.insert("name".to_owned(), target.name.clone().into());
            metadata.insert("uid".to_owned(), self.random.uuid().into());
            let now = metadata::time(target.asker.now);
            metadata.insert("creationTimestamp".to_owned(), now);
            if target.kind.has_generation() {
                metadata.insert("generation".to_owned(), 1.into());
            }
        }
        Ok(self.persist(&target, 201, object))
    }
}

/// What is wrong with a name, if anything is.
fn wrong_name(name: &str) -> Option<Cause> {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let fine = name.len() <= 253
        && name.split('.').all(|part| {
            part.starts_with(inner)
                && part.ends_with(inner)
                && part.chars().all(|letter| inner(letter) || letter == '-')
        });
    (!fine).then(|| Cause {
        reason: "FieldValueInvalid",
        message: format!(
            "Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ),
        field: "metadata.name".to_owned(),
    })
}
