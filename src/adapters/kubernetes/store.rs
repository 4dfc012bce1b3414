//! Guarded writes to one kind of object in the clinic's namespace: a create by name, a patch that carries resourceVersion
//! and UID, a delete with UID. A write without a guard is not offered.

use std::fmt::Debug;

use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::ApiError;

/// What an object must still be for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The object's UID as it was read.
    pub uid: String,
    /// Its resourceVersion as it was read.
    pub resource_version: String,
}

/// What a write of an object that was read with this metadata is guarded by.
pub fn guard(metadata: &ObjectMeta) -> Guard {
    Guard {
        uid: metadata.uid.clone().unwrap_or_default(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// Objects a page of a list.
const PAGE: u32 = 100;

/// Objects of one kind in one namespace.
pub struct Store<K> {
    api: Api<K>,
}

/// What can be in a [`Store`]: any kind of ours.
pub trait Stored:
    Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Stored for K where
    K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + 'static
{
}

/// Objects of one kind as they are, whether or not they fit our types: to be read alone.
pub struct AsTheyAre {
    api: Api<DynamicObject>,
}

impl AsTheyAre {
    /// The objects of the kind `K` in `namespace`, through `client`.
    pub fn of<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Self {
        Self { api: Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&())) }
    }

    /// Reads one from the API server; `None`: there is no object of that name.
    ///
    /// # Errors
    /// A failed request.
    pub async fn read(&self, name: &str) -> Result<Option<DynamicObject>, ApiError> {
        match self.api.get(name).await.map_err(ApiError::from) {
            Ok(object) => Ok(Some(object)),
            Err(ApiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<K: Stored> Store<K> {
    /// The objects of `namespace`, through `client`.
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self { api: Api::namespaced(client.clone(), namespace) }
    }

    /// Reads one object from the API server, not from a cache.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] or a failed request.
    pub async fn read(&self, name: &str) -> Result<K, ApiError> {
        Ok(self.api.get(name).await?)
    }

    /// Reads all objects in pages, from the API server, and hands each to `take`.
    ///
    /// # Errors
    /// A failed request; what was handed over before it, was.
    pub async fn each(&self, mut take: impl AsyncFnMut(K) -> Result<(), ApiError>) -> Result<(), ApiError> {
        let mut parameters = ListParams::default().limit(PAGE);
        loop {
            let page = self.api.list(&parameters).await?;
            for object in page.items {
                take(object).await?;
            }
            match page.metadata.continue_ {
                Some(token) if !token.is_empty() => parameters = parameters.continue_token(&token),
                _ => return Ok(()),
            }
        }
    }

    /// Creates an object.
    ///
    /// # Errors
    /// [`ApiError::AlreadyExists`] also if an earlier create was carried out and only its answer lost.
    pub async fn create(&self, object: &K) -> Result<K, ApiError> {
        Ok(self.api.create(&PostParams::default(), object).await?)
    }

    /// Patches `block` of the spec (such as `delivery`) or several by a merge patch.
    ///
    /// # Errors
    /// [`ApiError::Conflict`]: the object is not as `guard` says, and nothing was written.
    pub async fn patch_spec(&self, name: &str, guard: &Guard, spec: &Value) -> Result<K, ApiError> {
        let patch = guarded(guard, "spec", spec);
        Ok(self.api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?)
    }

    /// Patches the status subresource by a merge patch.
    ///
    /// # Errors
    /// [`ApiError::Conflict`]: the object is not as `guard` says, and nothing was written.
    pub async fn patch_status(&self, name: &str, guard: &Guard, status: &Value) -> Result<K, ApiError> {
        let patch = guarded(guard, "status", status);
        Ok(self.api.patch_status(name, &PatchParams::default(), &Patch::Merge(&patch)).await?)
    }

    /// Deletes the object that has this UID. No error if it is gone already.
    ///
    /// # Errors
    /// [`ApiError::Conflict`]: another object has the name now.
    pub async fn delete(&self, name: &str, uid: &str) -> Result<(), ApiError> {
        let precondition = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(precondition), ..DeleteParams::default() };
        match self.api.delete(name, &parameters).await.map_err(ApiError::from) {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn guarded(guard: &Guard, block: &str, patch: &Value) -> Value {
    json!({
        "metadata": {"uid": guard.uid, "resourceVersion": guard.resource_version},
        block: patch,
    })
}
