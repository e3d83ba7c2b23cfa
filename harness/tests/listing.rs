//! The tensors that dummy checkpoints are made of are exactly those of true ones.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::collections::BTreeMap;
use std::path::Path;

use harness::models;
use harness::models::published::{Form, Groups, Layout};
use harness::tensor::DType;
use safetensors::SafeTensors;

type Listed = BTreeMap<String, (Vec<usize>, String)>;

fn stored(dir: &Path) -> Listed {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.iter().map(|(name, tensor)| {
        let dtype = format!("{:?}", tensor.dtype()).to_lowercase();
        (name.to_owned(), (tensor.shape().to_vec(), dtype))
    });
    tensors.collect()
}

fn listed(dir: &Path, form: Form) -> Listed {
    let tensors = models::tensors(dir, form).unwrap().into_iter();
    let tensors = tensors.map(|tensor| (tensor.name, (tensor.dims, tensor.dtype.to_string())));
    tensors.collect()
}

/// Newer conversions spare parts of a model that older ones quantise: a matrix may be stored either
/// way, so each is compared with the list of its own form.
fn check(checkpoint: &str, form: Form) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints")
        .join(checkpoint);
    let stored = stored(&dir);
    let spared = Form {
        affine: None,
        ..form
    };
    let (quantised, spared) = (listed(&dir, form), listed(&dir, spared));
    let is_quantised = |name: &str| {
        let matrix = name.rsplit_once('.').map_or(name, |(matrix, _)| matrix);
        stored.contains_key(&format!("{matrix}.scales"))
    };
    for (name, tensor) in &stored {
        let listed = match is_quantised(name) {
            true => quantised.get(name),
            false => spared.get(name),
        };
        assert_eq!(listed, Some(tensor), "{checkpoint}: {name}");
    }
    for name in spared.keys() {
        assert!(
            stored.contains_key(name),
            "{checkpoint}: {name} is too many"
        );
    }
}

const fn form(layout: Layout, float: DType, affine: Option<Groups>) -> Form {
    Form {
        layout,
        float,
        affine,
    }
}

#[test]
fn smolvlm() {
    let huggingface = form(Layout::HuggingFace, DType::BF16, None);
    check("tiny-smolvlm-500m-instruct", huggingface);
    let mlx = form(Layout::Mlx, DType::BF16, None);
    check("tiny-smolvlm2-500m-video-instruct-mlx", mlx);
}

#[test]
fn moondream2() {
    let huggingface = form(Layout::HuggingFace, DType::BF16, None);
    check("tiny-moondream2", huggingface);
}

#[test]
fn llava_next() {
    let huggingface = form(Layout::HuggingFace, DType::BF16, None);
    check("tiny-llava-v1.6-mistral-7b", huggingface);
    let groups = Groups { bits: 4, group: 64 };
    let mlx = form(Layout::Mlx, DType::BF16, Some(groups));
    check("tiny-llava-v1.6-mistral-7b-4bit", mlx);
}
