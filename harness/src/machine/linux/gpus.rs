//! Graphics processors that can compute.

use super::super::tidy;
use crate::machine::root::Root;

const NVIDIA: &str = "10de";

/// Makers of emulated display adapters: QEMU/virtio, VMware, VirtualBox, Hyper-V, Red Hat.
const EMULATED: [&str; 5] = ["1af4", "15ad", "80ee", "1414", "1b36"];

/// Names, sorted, one for each GPU. The NVIDIA driver names its own; others are maker and device
/// number, for drivers' names for one GPU vary. Plain framebuffers have no render node: left out.
pub(super) fn list(root: &Root) -> Vec<String> {
    let mut gpus = nvidia(root);
    let named_by_driver = !gpus.is_empty();
    let nodes = root
        .names("sys/class/drm")
        .into_iter()
        .filter(|name| name.starts_with("renderD"));
    for node in nodes {
        let device = format!("sys/class/drm/{node}/device");
        match hex(root, &format!("{device}/vendor")) {
            Some(vendor) if EMULATED.contains(&vendor.as_str()) => {}
            Some(vendor) if named_by_driver && vendor == NVIDIA => {}
            Some(vendor) => gpus.extend(
                hex(root, &format!("{device}/device")).map(|id| format!("{} {id}", maker(&vendor))),
            ),
            None => gpus.extend(built_in(root, &device)),
        }
    }
    gpus.sort();
    gpus
}

fn nvidia(root: &Root) -> Vec<String> {
    let folder = "proc/driver/nvidia/gpus";
    let model = |slot: String| {
        let text = root.read(&format!("{folder}/{slot}/information"))?;
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("Model:"))
            .map(tidy)?;
        (!name.is_empty()).then_some(name)
    };
    root.names(folder).into_iter().filter_map(model).collect()
}

/// Four hex digits of a PCI id such as `0x8086`.
fn hex(root: &Root, path: &str) -> Option<String> {
    let text = root.read(path)?;
    let digits = text.strip_prefix("0x")?;
    u16::from_str_radix(digits, 16)
        .ok()
        .map(|id| format!("{id:04x}"))
}

fn maker(vendor: &str) -> String {
    match vendor {
        "8086" => "Intel".to_owned(),
        "1002" => "AMD".to_owned(),
        NVIDIA => "NVIDIA".to_owned(),
        other => format!("PCI {other}"),
    }
}

/// The GPU inside a system chip has no PCI id but a name in the device tree.
fn built_in(root: &Root, device: &str) -> Option<String> {
    let event = root.read(&format!("{device}/uevent"))?;
    let name = event
        .lines()
        .find_map(|line| line.strip_prefix("OF_COMPATIBLE_0="))
        .map(tidy)?;
    (!name.is_empty()).then_some(name)
}
