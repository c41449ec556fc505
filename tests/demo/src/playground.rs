//! `make demo KEEP=1`: the world goes on, for a person to try things on.

use crate::grants::{ALICE, NAMESPACE};
use crate::screen;
use crate::world::World;

/// Says how to use what is running, and how to stop it.
pub fn explain(world: &World) -> anyhow::Result<()> {
    let exports: Vec<String> = world
        .exports()?
        .iter()
        .map(|(name, value)| format!("export {name}=\"{value}\""))
        .collect();
    screen::heading("Everything keeps running until Ctrl-C");
    screen::say("To try things, paste into another terminal:");
    screen::block("What is running", &exports.join("\n"));
    for (title, commands) in things_to_try() {
        screen::block(title, &commands);
    }
    screen::block(
        "What the controller says, and its audit trail",
        &format!(
            "tail -f {}\ncat {}",
            world.log().display(),
            world.audit().display()
        ),
    );
    screen::say("");
    Ok(())
}

fn things_to_try() -> [(&'static str, String); 4] {
    let target = ALICE.target.yaml();
    [
        (
            "Give bob access for five minutes",
            format!(
                "kubectl apply -f - <<END\n\
                 apiVersion: breakglass.dev/v1alpha1\n\
                 kind: BreakglassGrant\n\
                 metadata: {{name: try-it, namespace: {NAMESPACE}}}\n\
                 spec:\n\
                 \x20 user: bob@example.com\n\
                 \x20 target: {{{target}}}\n\
                 \x20 expiryTime: \"$(date -u -d '5 minutes' +%FT%TZ 2>/dev/null || date -u -v+5M +%FT%TZ)\"\n\
                 \x20 reason: To see how it works\n\
                 END\n\
                 kubectl wait --for=condition=Granted --timeout=60s -n {NAMESPACE} bgg/try-it"
            ),
        ),
        (
            "Look at it, and at what AWS really has",
            format!(
                "kubectl get breakglass --all-namespaces\n\
                 kubectl describe -n {NAMESPACE} bgg/try-it\n\
                 curl -s \"$AWS_ENDPOINT_URL/_simulator/truth\" | python3 -m json.tool | less"
            ),
        ),
        (
            "Take it away behind the controller's back, and ask the controller to look at once: bob gets it again",
            format!(
                "curl -s \"$AWS_ENDPOINT_URL/_simulator/changes\" -d '{{\"deleteAssignment\": {{\"account\": \"111122223333\",\n\
                 \x20 \"permissionSet\": \"BreakglassAccess\", \"principal\": \"bob@example.com\"}}}}'\n\
                 kubectl annotate --overwrite -n {NAMESPACE} bgg/try-it breakglass.dev/requestedAt=\"$(date)\""
            ),
        ),
        (
            "Take it away for good",
            format!(
                "kubectl annotate -n {NAMESPACE} bgg/try-it breakglass.dev/revoke=\"no longer needed\"\n\
                 kubectl get breakglassgrants -n {NAMESPACE} --watch"
            ),
        ),
    ]
}
