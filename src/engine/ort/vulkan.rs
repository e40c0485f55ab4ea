//! The GPUs that WebGPU can take on Linux, asked before its plugin is: a plugin that finds none throws an exception through
//! `pthread_once`, which ends any program that has libunwind loaded, and GStreamer's own library loads it.

use std::sync::Arc;

use vulkano::Version;
use vulkano::VulkanLibrary;
use vulkano::device::DeviceFeatures;
use vulkano::device::physical::{PhysicalDevice, PhysicalDeviceType};
use vulkano::instance::{Instance, InstanceCreateInfo};

/// Option of the plugin that chooses between GPUs, and its value that does not ask for the fastest.
const PREFERENCE: (&str, &str) = ("powerPreference", "low-power");

/// The name of the GPU that WebGPU takes.
///
/// # Errors
/// Why there is none.
pub(super) fn adapter(options: &[(String, String)]) -> Result<String, String> {
    let none = |why: String| format!("No supported adapters: {why}");
    let library =
        VulkanLibrary::new().map_err(|e| none(format!("libvulkan.so.1 cannot be opened ({e})")))?;
    let instance = Instance::new(library, InstanceCreateInfo::application_from_cargo_toml())
        .map_err(|_| none("Vulkan finds no driver".into()))?;
    let devices: Vec<_> = instance
        .enumerate_physical_devices()
        .map_err(|e| none(format!("Vulkan's drivers fail ({e})")))?
        .collect();
    let saves_power = options.iter().any(|(k, v)| (k.as_str(), v.as_str()) == PREFERENCE);
    let usable = devices.iter().filter(|device| is_usable(device));
    match usable.min_by_key(|device| rank(device, saves_power)) {
        Some(device) => Ok(name(device)),
        None if devices.is_empty() => Err(none("Vulkan finds no device".into())),
        None => {
            let names: Vec<_> = devices.iter().map(name).collect();
            Err(none(format!("{} cannot do all that WebGPU asks for", names.join(", "))))
        }
    }
}

fn name(device: &Arc<PhysicalDevice>) -> String {
    device.properties().device_name.clone()
}

fn rank(device: &PhysicalDevice, saves_power: bool) -> u8 {
    match device.properties().device_type {
        PhysicalDeviceType::DiscreteGpu => u8::from(saves_power),
        PhysicalDeviceType::IntegratedGpu => u8::from(!saves_power),
        PhysicalDeviceType::VirtualGpu | PhysicalDeviceType::Other => 2,
        _ => 3,
    }
}

/// What Dawn, the WebGPU inside the plugin, asks of a device; Mesa 22.3's software driver lacks some of it.
fn is_usable(device: &Arc<PhysicalDevice>) -> bool {
    let wanted = DeviceFeatures {
        depth_bias_clamp: true,
        fragment_stores_and_atomics: true,
        full_draw_index_uint32: true,
        image_cube_array: true,
        independent_blend: true,
        robust_buffer_access: true,
        sample_rate_shading: true,
        shader_sampled_image_array_dynamic_indexing: true,
        shader_storage_buffer_array_dynamic_indexing: true,
        shader_storage_image_array_dynamic_indexing: true,
        shader_uniform_buffer_array_dynamic_indexing: true,
        ..DeviceFeatures::empty()
    };
    let has = device.supported_features();
    let compressed = has.texture_compression_bc
        || (has.texture_compression_etc2 && has.texture_compression_astc_ldr);
    device.api_version() >= Version::V1_1 && has.contains(&wanted) && compressed
}
