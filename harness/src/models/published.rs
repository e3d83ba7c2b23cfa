//! The published models this program knows by name.

use crate::tensor::DType;

/// A model of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Name in tables.
    pub name: &'static str,
    /// Repository on the hub.
    pub repository: &'static str,
    /// Pinned commit, 40 hex digits; none where it is not known to us: then the user names one, or
    /// the commit that the repository's main branch is at is looked up and recorded.
    pub revision: Option<&'static str>,
    /// How its tensors are stored.
    pub form: Form,
}

/// How a publication stores a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// How tensors are named and laid out.
    pub layout: Layout,
    /// Type of what is not quantised, and of scales.
    pub float: DType,
    /// How linear layers and embeddings are quantised, if they are.
    pub affine: Option<Groups>,
}

/// Affine quantisation, see [`crate::tensor::affine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Bits of a code: 4 or 8.
    pub bits: usize,
    /// Codes that share a scale and an offset.
    pub group: usize,
}

/// Tensor names and kernel layout of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Hugging Face's names, kernels `[out, in, h, w]`.
    HuggingFace,
    /// MLX's names, kernels `[out, h, w, in]`.
    Mlx,
}

/// Every model that can be named.
pub const PUBLISHED: &[Published] = &[
    Published {
        name: "SmolVLM2-500M-Video-Instruct",
        repository: "mlx-community/SmolVLM2-500M-Video-Instruct-mlx",
        revision: Some("fa57db46815177fbdfd65cc85a2b3416a8332268"),
        form: Form {
            layout: Layout::Mlx,
            float: DType::BF16,
            affine: None,
        },
    },
    Published {
        name: "SmolVLM-500M-Instruct",
        repository: "HuggingFaceTB/SmolVLM-500M-Instruct",
        revision: Some("a7da5b986cb59b408707209984f360a5f4ad7e47"),
        form: Form {
            layout: Layout::HuggingFace,
            float: DType::BF16,
            affine: None,
        },
    },
];

/// The model of that name or repository.
#[must_use]
pub fn find(name: &str) -> Option<&'static Published> {
    PUBLISHED
        .iter()
        .find(|model| model.name.eq_ignore_ascii_case(name) || model.repository == name)
}
