//! What a server is and which models it has.

use anyhow::{Result, anyhow, bail};
use serde_json::Value;

use super::address::Address;
use super::http::{Client, PROMPT, Refusal};
use super::{Remote, Server};
use crate::measure;
use crate::message::one_line;
use crate::source::Model;

/// Which server is to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it listens.
    pub address: Address,
    /// Its process, where a person names it.
    pub process: Option<u32>,
}

/// The server of mlx-vlm.
const MLX: &str = "mlx-vlm";

/// What a server tells about itself.
struct Software {
    name: &'static str,
    version: String,
}

/// The models to be measured: those named, else the only one there is. Each is asked for one token, so
/// that a server that loads models when they are first wanted has done so.
///
/// # Errors
/// When the server cannot be asked or does not answer, or has no such model: one line, with what to do.
pub fn discover(wanted: &Wanted, names: &[String]) -> Result<Vec<Model>> {
    let client = Client::new(&wanted.address, PROMPT);
    let listed = listed(&client)?;
    let software = software(&client, &listed);
    let process = wanted.process.or_else(|| {
        let here = wanted.address.is_here();
        here.then(|| measure::listener(wanted.address.port()))?
    });
    let ids: Vec<String> = listed.iter().filter_map(id).collect();
    let chosen = match (software.name, names) {
        // It lists what it holds, and loads whatever else it is asked for.
        (MLX, [_, ..]) => chosen(&wanted.address, &[], names)?,
        _ => chosen(&wanted.address, &ids, names)?,
    };
    let mut models = Vec::new();
    for id in chosen {
        let entry = listed
            .iter()
            .find(|entry| self::id(entry).as_ref() == Some(&id));
        let meta = |name: &str| entry.and_then(|entry| entry.get("meta")?.get(name));
        let number = |name: &str| meta(name).and_then(Value::as_u64).unwrap_or(0);
        let server = Server {
            address: wanted.address.clone(),
            software: software.name.to_owned(),
            format: meta("ftype").and_then(Value::as_str).map(short),
            parameters: number("n_params"),
            weight_bytes: number("size"),
            model: id,
            process,
        };
        let mut remote = Remote::new(&server);
        remote.rouse().map_err(|error| anyhow!("{error}"))?;
        models.push(model(server, &software.version));
    }
    Ok(models)
}

fn model(server: Server, version: &str) -> Model {
    // llama.cpp may call a model by the file's whole path, mlx-vlm by that of its folder.
    let name = server
        .model
        .trim_end_matches('/')
        .rsplit(['/', '\\'])
        .next();
    let name = name.filter(|name| name.ends_with(".gguf") || server.model.starts_with('/'));
    Model {
        name: short(name.unwrap_or(&server.model)),
        dir: std::path::PathBuf::new(),
        weights: "served",
        revision: version.to_owned(),
        weight_files: Vec::new(),
        weight_bytes: 0,
        argument: server.model.clone(),
        seal: None,
        server: Some(server),
    }
}

/// A text of the server's as it may stand in a table.
fn short(text: &str) -> String {
    one_line(text).chars().take(120).collect()
}

/// The entries of `/v1/models`; none where the server has no such list.
fn listed(client: &Client) -> Result<Vec<Value>> {
    let found = match client.get("/v1/models") {
        Ok(found) => found,
        Err(Refusal {
            status: Some(404), ..
        }) => return Ok(Vec::new()),
        Err(refusal) => bail!("{}", refusal.why),
    };
    match found.get("data").and_then(Value::as_array) {
        Some(entries) => Ok(entries.clone()),
        None => bail!("/v1/models: holds no list of models: is this an OpenAI-compatible server?"),
    }
}

fn id(entry: &Value) -> Option<String> {
    Some(entry.get("id")?.as_str()?.to_owned())
}

/// The models that are asked, as the server calls them.
fn chosen(address: &Address, ids: &[String], names: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !ids.is_empty() && !ids.contains(name))
    {
        bail!(
            "{address}: has no model {:?}: it lists {}",
            short(unknown),
            quoted(ids)
        );
    }
    match (names, ids) {
        ([], [one]) => Ok(vec![one.clone()]),
        ([], []) => bail!("{address}: lists no model: name it by --model"),
        ([], _) => bail!(
            "{address}: lists several models: choose by --model: {}",
            quoted(ids)
        ),
        (names, _) => {
            let mut chosen: Vec<String> = Vec::new();
            for name in names {
                if !chosen.contains(name) {
                    chosen.push(name.clone());
                }
            }
            Ok(chosen)
        }
    }
}

fn quoted(ids: &[String]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = ids.iter().take(MOST).map(|id| short(id)).collect();
    let more = if ids.len() > MOST { ", …" } else { "" };
    shown.join(", ") + more
}

/// Each of the servers that people run tells its version somewhere else.
fn software(client: &Client, listed: &[Value]) -> Software {
    let owner = listed.first().and_then(|entry| entry.get("owned_by"));
    let owner = owner.and_then(Value::as_str).unwrap_or_default();
    let text = |path: &str, field: &str| {
        let found = client.get(path).ok()?;
        Some(short(found.get(field)?.as_str()?))
    };
    let told = |name, version: Option<String>| version.map(|version| Software { name, version });
    let llama = || told("llama.cpp", text("/props", "build_info"));
    let vllm = || match owner {
        "vllm" => told("vllm", text("/version", "version")),
        _ => None,
    };
    let ollama = || told("ollama", text("/api/version", "version"));
    // It describes its interface.
    let mlx = || {
        let found = client.get("/openapi.json").ok()?;
        let info = |field| found.get("info")?.get(field)?.as_str();
        let is_it = info("title")?.starts_with("MLX-VLM");
        is_it.then(|| Software {
            name: MLX,
            version: short(info("version").unwrap_or("version unknown")),
        })
    };
    llama()
        .or_else(vllm)
        .or_else(ollama)
        .or_else(mlx)
        .unwrap_or_else(|| Software {
            name: "server",
            version: "version unknown".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_or_the_only_one() {
        let address: Address = "http://127.0.0.1:1".parse().unwrap();
        let check = |ids: &[&str], names: &[&str], expected: Result<&[&str], &str>| {
            let own = |texts: &[&str]| {
                texts
                    .iter()
                    .map(|&text| text.to_owned())
                    .collect::<Vec<_>>()
            };
            match (chosen(&address, &own(ids), &own(names)), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{found:?}"),
            }
        };
        check(&["a"], &[], Ok(&["a"]));
        check(&["a", "b"], &["b", "b"], Ok(&["b"]));
        check(&[], &["any"], Ok(&["any"]));
        check(&["a", "b"], &[], Err("choose by --model: a, b"));
        check(&["a"], &["c"], Err("has no model \"c\": it lists a"));
        check(&[], &[], Err("name it by --model"));
    }
}
