//! Who may depend on whom: downward only, only the engine on devices and array libraries, only the rooms
//! with a door to the world on libraries that open connections, and only the binary on those that answer.

use serde_json::Value;

use super::{File, Finding, lines};

/// Each crate with the crates of ours it may depend on, lowest level first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("engine", &[]),
    ("ledger", &[]),
    ("eval", &[]),
    ("token", &["ledger"]),
    ("model", &["engine", "ledger"]),
    ("hub", &["ledger", "eval"]),
    ("corpus", &["token", "ledger"]),
    ("train", &["model", "engine", "token", "ledger"]),
    ("infer", &["model", "engine", "token"]),
];

/// The rooms above them all: the binary, and the chores.
const TOP: &[&str] = &["penname", "xtask"];

/// Libraries that know devices or arrays, by the beginning of their names.
const ARRAYS: &[&str] = &[
    "accelerate-src",
    "ash",
    "blas",
    "burn",
    "candle",
    "cblas",
    "cubecl",
    "cudarc",
    "cust",
    "faer",
    "gemm",
    "hip",
    "intel-mkl",
    "matrixmultiply",
    "metal",
    "nalgebra",
    "ndarray",
    "objc2-metal",
    "openblas",
    "opencl",
    "ort",
    "tch",
    "vulkano",
    "wgpu",
];

/// Libraries that open connections, by the beginning of their names.
const CLIENTS: &[&str] = &[
    "attohttpc",
    "awc",
    "curl",
    "hyper",
    "isahc",
    "minreq",
    "native-tls",
    "reqwest",
    "rustls",
    "surf",
    "ureq",
];

/// The crates that may.
const DOORS: &[&str] = &["corpus", "hub"];

/// Libraries that answer connections, by the beginning of their names. What parses a request is one: it
/// is there for nothing else.
const SERVERS: &[&str] = &[
    "actix-web",
    "axum",
    "hyper-util",
    "httparse",
    "poem",
    "rocket",
    "rouille",
    "salvo",
    "tiny_http",
    "tower-http",
    "warp",
];

/// The crate that may.
const HOST: &str = "penname";

/// Checks `cargo metadata` of the workspace. `files` are asked for the lines of the manifests.
pub(super) fn check(metadata: &Value, files: &[File]) -> Vec<Finding> {
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.flat_map(|package| check_package(package, root, files)).collect()
}

fn check_package(package: &Value, root: &str, files: &[File]) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let path = package["manifest_path"].as_str().unwrap_or_default();
    let path = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
    let text = files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let short = name.strip_prefix("penname-").unwrap_or(name);
    let allowed = ALLOWED.iter().find(|(name, _)| *name == short).map(|(_, allowed)| *allowed);
    if allowed.is_none() && !TOP.contains(&short) {
        let expected = "a crate with a place in the layers of xtask/src/tidy/layer.rs";
        return vec![Finding::new(path, 1, format!("package `{name}`"), expected)];
    }
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let names = dependencies.filter_map(|dependency| dependency["name"].as_str());
    let fault = |dependency: &str| {
        let line = lines(text).find(|(_, line)| line.starts_with(dependency)).map_or(1, |(line, _)| line);
        let expected = fault_of(short, allowed, dependency)?;
        Some(Finding::new(path, line, format!("`{name}` depends on `{dependency}`"), expected))
    };
    names.filter_map(fault).collect()
}

/// What would be right instead, if a dependency is wrong.
fn fault_of(short: &str, allowed: Option<&[&str]>, dependency: &str) -> Option<String> {
    if dependency.contains("pickle") {
        return Some("no reader of pickles anywhere".to_owned());
    }
    if let Some(ours) = dependency.strip_prefix("penname-").or((dependency == "penname").then_some("penname"))
    {
        let wrong = allowed.is_some_and(|allowed| !allowed.contains(&ours)) || ours == "penname";
        let list = allowed.unwrap_or_default().join(", ");
        return wrong
            .then(|| if list.is_empty() { "no crate of ours".to_owned() } else { format!("only {list}") });
    }
    if begins_with_one_of(dependency, ARRAYS) && short != "engine" {
        return Some("devices and arrays in `penname-engine` only".to_owned());
    }
    if begins_with_one_of(dependency, SERVERS) {
        return (short != HOST).then(|| format!("connections answered by {HOST} only"));
    }
    (begins_with_one_of(dependency, CLIENTS) && !DOORS.contains(&short))
        .then(|| format!("connections opened by {} only", DOORS.join(" and ")))
}

/// Whether a library is one of these or a part of one: `candle`, `candle-core`.
fn begins_with_one_of(dependency: &str, names: &[&str]) -> bool {
    let is_part = |rest: &str| rest.is_empty() || rest.starts_with(['-', '_']);
    names.iter().any(|name| dependency.strip_prefix(name).is_some_and(is_part))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, shown};
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<Value> = dependencies.iter().map(|name| json!({ "name": name })).collect();
        json!({
            "name": name,
            "manifest_path": format!("/checkout/crates/{name}/Cargo.toml"),
            "dependencies": dependencies,
        })
    }

    #[test]
    fn only_downward() {
        let metadata = json!({ "workspace_root": "/checkout", "packages": [
            package("penname-train", &["penname-model", "penname-engine", "serde"]),
            package("penname-model", &["penname-token", "half"]),
            package("penname-eval", &["penname-ledger"]),
            package("penname-engine", &["cudarc", "cudarc-sys"]),
            package("penname-infer", &["candle-core", "serde-pickle"]),
            package("penname-utils", &[]),
            package("penname", &["penname-hub", "penname-eval", "metals", "ureq"]),
            package("penname-hub", &["ureq", "axum"]),
            package("penname", &["httparse", "tiny_http"]),
            package("xtask", &["penname"]),
        ]});
        let files =
            [file("crates/penname-model/Cargo.toml", "[dependencies]\nhalf = 1\npenname-token = 1\n")];
        expect![[r#"
            crates/penname-model/Cargo.toml:3: `penname-model` depends on `penname-token`, expected only engine, ledger
            crates/penname-eval/Cargo.toml:1: `penname-eval` depends on `penname-ledger`, expected no crate of ours
            crates/penname-infer/Cargo.toml:1: `penname-infer` depends on `candle-core`, expected devices and arrays in `penname-engine` only
            crates/penname-infer/Cargo.toml:1: `penname-infer` depends on `serde-pickle`, expected no reader of pickles anywhere
            crates/penname-utils/Cargo.toml:1: package `penname-utils`, expected a crate with a place in the layers of xtask/src/tidy/layer.rs
            crates/penname/Cargo.toml:1: `penname` depends on `ureq`, expected connections opened by corpus and hub only
            crates/penname-hub/Cargo.toml:1: `penname-hub` depends on `axum`, expected connections answered by penname only
            crates/xtask/Cargo.toml:1: `xtask` depends on `penname`, expected no crate of ours
        "#]]
        .assert_eq(&shown(&check(&metadata, &files)));
    }
}
