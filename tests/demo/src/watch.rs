//! Looks at grants, accesses and AWS as they change.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::stream::{BoxStream, select};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::time::{Interval, interval};

use crate::cloud;
use crate::picture::Picture;
use crate::screen::{self, clock};
use crate::world::World;

/// AWS has no watch, but looking costs nothing here.
const LOOK_AT_AWS_EVERY: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
enum Kind {
    Grant,
    Access,
}

/// The changing picture.
pub struct Watch<'a> {
    world: &'a World,
    objects: BoxStream<'static, Result<(Kind, DynamicObject), watcher::Error>>,
    look_at_aws: Interval,
    picture: Picture,
}

impl<'a> Watch<'a> {
    /// Starts to look.
    pub async fn start(world: &'a World) -> anyhow::Result<Self> {
        let client = world.client().await?;
        let watch = |kind: Kind, name: &str, plural: &str| {
            let name = GroupVersionKind::gvk("breakglass.dev", "v1alpha1", name);
            let resource = ApiResource::from_gvk_with_plural(&name, plural);
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            watcher(api, watcher::Config::default())
                .default_backoff()
                .applied_objects()
                .map_ok(move |object| (kind, object))
        };
        let objects = select(
            watch(Kind::Grant, "BreakglassGrant", "breakglassgrants").boxed(),
            watch(Kind::Access, "BreakglassAccess", "breakglassaccesses").boxed(),
        );
        let picture = Picture {
            aws: cloud::holdings(&world.simulator.truth()),
            ..Picture::default()
        };
        Ok(Self {
            world,
            objects: objects.boxed(),
            look_at_aws: interval(LOOK_AT_AWS_EVERY),
            picture,
        })
    }

    /// What is seen now.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Tells every change until `reached` has nothing to complain about.
    pub async fn until(
        &mut self,
        deadline: Timestamp,
        reached: impl Fn(&Picture) -> Result<(), String>,
    ) -> anyhow::Result<()> {
        loop {
            let Err(missing) = reached(&self.picture) else {
                return Ok(());
            };
            self.world.check_controller()?;
            if self.world.now() > deadline {
                bail!("at {}: {missing}", clock(deadline));
            }
            self.next().await?;
        }
    }

    /// Waits for something to look at, and tells what changed.
    async fn next(&mut self) -> anyhow::Result<()> {
        let mut picture = self.picture.clone();
        tokio::select! {
            object = self.objects.try_next() => {
                let seen = object.context("the API server can't be watched")?;
                let (kind, object) = seen.context("the watch has ended")?;
                let name = object.metadata.name.clone().unwrap_or_default();
                match kind {
                    Kind::Grant => picture.grant(&name, &object.data),
                    Kind::Access => picture.access(&name, &object.data),
                }
            }
            _ = self.look_at_aws.tick() => {
                picture.aws = cloud::holdings(&self.world.simulator.truth());
            }
        }
        for change in picture.changes_since(&self.picture) {
            screen::event(self.world.now(), &change);
        }
        self.picture = picture;
        Ok(())
    }
}
