//! The published models this program knows by name.

/// A model of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Name in tables.
    pub name: &'static str,
    /// Repository on the hub.
    pub repository: &'static str,
    /// Pinned commit.
    pub revision: &'static str,
    /// How its tensors are named and laid out.
    pub layout: Layout,
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
        revision: "fa57db46815177fbdfd65cc85a2b3416a8332268",
        layout: Layout::Mlx,
    },
    Published {
        name: "SmolVLM-500M-Instruct",
        repository: "HuggingFaceTB/SmolVLM-500M-Instruct",
        revision: "a7da5b986cb59b408707209984f360a5f4ad7e47",
        layout: Layout::HuggingFace,
    },
];

/// The model of that name or repository.
#[must_use]
pub fn find(name: &str) -> Option<&'static Published> {
    PUBLISHED
        .iter()
        .find(|model| model.name.eq_ignore_ascii_case(name) || model.repository == name)
}
