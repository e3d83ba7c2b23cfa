//! macOS: `sysctl` for chip, cores, memory and system, the IO registry for the GPU's cores.

use std::ffi::{CStr, c_char, c_void};

use store::Machine;

use super::tidy;

/// This Mac.
pub(super) fn detect() -> Machine {
    let chip = text(c"machdep.cpu.brand_string").unwrap_or_else(|| "unknown".to_owned());
    let (performance_cores, efficiency_cores) = cores();
    let version = text(c"kern.osproductversion").unwrap_or_default();
    let major = version.split('.').next().unwrap_or_default();
    Machine {
        gpus: gpu_cores()
            .map(|cores| format!("{chip} GPU, {cores} cores"))
            .into_iter()
            .collect(),
        chip,
        performance_cores,
        efficiency_cores,
        memory_gib: u32::try_from(number(c"hw.memsize").unwrap_or(0) >> 30).unwrap_or(0),
        arch: std::env::consts::ARCH.to_owned(),
        os: tidy(&format!("macOS {major}")),
    }
}

/// Level 0 is the fastest kind of core. An Intel Mac has no levels.
fn cores() -> (u32, u32) {
    let count = |name| number(name).and_then(|n| u32::try_from(n).ok());
    match count(c"hw.perflevel0.physicalcpu") {
        Some(fast) => {
            let slower = [c"hw.perflevel1.physicalcpu", c"hw.perflevel2.physicalcpu"];
            (fast, slower.into_iter().filter_map(count).sum())
        }
        None => (count(c"hw.physicalcpu").unwrap_or(0), 0),
    }
}

/// A text value of the kernel, in one clean line.
pub(crate) fn text(name: &CStr) -> Option<String> {
    let bytes = value(name)?;
    let text = CStr::from_bytes_until_nul(&bytes).ok()?.to_string_lossy();
    Some(tidy(&text)).filter(|text| !text.is_empty())
}

/// A number of the kernel, stored in 4 or 8 bytes.
pub(crate) fn number(name: &CStr) -> Option<u64> {
    let bytes = value(name)?;
    match bytes.len() {
        4 => Some(u64::from(u32::from_ne_bytes(bytes.try_into().ok()?))),
        8 => Some(u64::from_ne_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// A value of the kernel as it lies in memory.
#[expect(unsafe_code, reason = "no safe interface to sysctl")]
pub(crate) fn value(name: &CStr) -> Option<Vec<u8>> {
    let mut bytes = vec![0u8; 1024];
    let mut length = bytes.len();
    // SAFETY: `bytes` has room for `length` bytes, `name` ends in a nul, and nothing is set.
    let status = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            bytes.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    };
    bytes.truncate(length);
    (status == 0).then_some(bytes)
}

/// Any object of Core Foundation.
pub(crate) type CfRef = *const c_void;

const CF_STRING_UTF8: u32 = 0x0800_0100;
const CF_NUMBER_INT64: isize = 4;

#[expect(unsafe_code, reason = "declarations of two system frameworks")]
#[link(name = "IOKit", kind = "framework")]
#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    fn IOServiceMatching(name: *const c_char) -> CfRef;
    fn IOServiceGetMatchingService(main_port: u32, matching: CfRef) -> u32;
    fn IORegistryEntryCreateCFProperty(entry: u32, key: CfRef, alloc: CfRef, options: u32)
    -> CfRef;
    fn IOObjectRelease(object: u32) -> i32;
    fn CFStringCreateWithCString(alloc: CfRef, text: *const c_char, encoding: u32) -> CfRef;
    fn CFNumberGetTypeID() -> usize;
    fn CFGetTypeID(value: CfRef) -> usize;
    fn CFNumberGetValue(number: CfRef, kind: isize, value: *mut c_void) -> u8;
    pub(crate) fn CFEqual(one: CfRef, other: CfRef) -> u8;
    pub(crate) fn CFRelease(value: CfRef);
}

/// A text of Core Foundation that is ours.
pub(crate) struct CfString(CfRef);

#[expect(unsafe_code, reason = "texts of a system framework")]
impl CfString {
    /// `None` where there is no memory.
    pub(crate) fn new(text: &CStr) -> Option<Self> {
        let none = std::ptr::null();
        // SAFETY: the text ends in a nul and is copied.
        let string = unsafe { CFStringCreateWithCString(none, text.as_ptr(), CF_STRING_UTF8) };
        (!string.is_null()).then_some(Self(string))
    }

    /// Valid as long as this is.
    pub(crate) const fn get(&self) -> CfRef {
        self.0
    }
}

#[expect(unsafe_code, reason = "texts of a system framework")]
impl Drop for CfString {
    fn drop(&mut self) {
        // SAFETY: it was created by `new` and is released this once.
        unsafe { CFRelease(self.0) };
    }
}

/// The GPU's core count; `None` on an Intel Mac and in a virtual machine.
#[expect(unsafe_code, reason = "the core count stands in the IO registry alone")]
fn gpu_cores() -> Option<i64> {
    let none = std::ptr::null();
    // SAFETY: the texts end in a nul. The matching dictionary is consumed by the look-up;
    // service and property are each released once, and the property is read only as the number
    // that its type id says it is.
    unsafe {
        let service = IOServiceGetMatchingService(0, IOServiceMatching(c"AGXAccelerator".as_ptr()));
        if service == 0 {
            return None;
        }
        let key = CfString::new(c"gpu-core-count");
        let property = key.map_or(none, |key| {
            IORegistryEntryCreateCFProperty(service, key.get(), none, 0)
        });
        let mut cores = 0i64;
        let found = !property.is_null()
            && CFGetTypeID(property) == CFNumberGetTypeID()
            && CFNumberGetValue(property, CF_NUMBER_INT64, (&raw mut cores).cast()) != 0;
        if !property.is_null() {
            CFRelease(property);
        }
        IOObjectRelease(service);
        (found && cores > 0).then_some(cores)
    }
}
