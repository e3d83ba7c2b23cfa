//! The tensors that dummy checkpoints are made of are exactly those of true ones.

use std::collections::BTreeMap;
use std::path::Path;

use harness::models;
use harness::models::published::{Form, Groups, Layout};
use harness::tensor::DType;
use safetensors::SafeTensors;

type Listed = BTreeMap<String, (Vec<usize>, String)>;

fn check(checkpoint: &str, form: Form) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints")
        .join(checkpoint);
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let stored = file.iter().map(|(name, tensor)| {
        let dtype = format!("{:?}", tensor.dtype()).to_lowercase();
        (name.to_owned(), (tensor.shape().to_vec(), dtype))
    });
    let listed = models::tensors(&dir, form).unwrap();
    let listed = listed
        .into_iter()
        .map(|tensor| (tensor.name, (tensor.dims, tensor.dtype.to_string())));
    let (stored, listed): (Listed, Listed) = (stored.collect(), listed.collect());
    for (name, tensor) in &stored {
        assert_eq!(listed.get(name), Some(tensor), "{checkpoint}: {name}");
    }
    for name in listed.keys() {
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
