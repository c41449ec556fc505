//! `make demo KEEP=1`: the world goes on, for a person to try things on.

use crate::grants::{ALICE, NAMESPACE};
use crate::screen;
use crate::world::World;

/// Says how to use what is running, and how to stop it.
pub fn explain(world: &World) -> anyhow::Result<()> {
    screen::heading("Everything keeps running until Ctrl-C");
    let exports = world.exports()?;
    let exports: Vec<String> = exports
        .iter()
        .map(|(name, value)| format!("export {name}=\"{value}\""))
        .collect();
    screen::block("In another terminal", &exports.join("\n"));
    let target = ALICE.target.yaml();
    screen::block(
        "Give bob access for five minutes",
        &format!(
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
    );
    screen::block(
        "Look at it",
        &format!(
            "kubectl get breakglass --all-namespaces\n\
             kubectl describe -n {NAMESPACE} bgg/try-it\n\
             curl -s \"$AWS_ENDPOINT_URL/_simulator/truth\" | python3 -m json.tool | less"
        ),
    );
    screen::block(
        "Take it away at once",
        &format!(
            "kubectl annotate -n {NAMESPACE} bgg/try-it breakglass.dev/revoke=\"no longer needed\""
        ),
    );
    screen::block(
        "Do something behind the controller's back",
        "curl -s \"$AWS_ENDPOINT_URL/_simulator/changes\" -d '{\"deleteAssignment\":\n\
         \x20 {\"account\": \"111122223333\", \"permissionSet\": \"BreakglassAccess\", \"principal\": \"bob@example.com\"}}'",
    );
    screen::block(
        "What the controller says, and its audit trail",
        &format!(
            "tail -f {}\ncat {}",
            world.log().display(),
            world.audit().display()
        ),
    );
    Ok(())
}
