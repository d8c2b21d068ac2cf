//! Where a manifest of the filter has its configuration and its image.

use serde_json::Value;

/// Where an EnvoyFilter that has the filter says which image.
pub(crate) fn remote_code(object: &mut Value) -> Option<&mut Value> {
    let patches = object.pointer_mut("/spec/configPatches")?.as_array_mut()?;
    let mut patches = patches.iter_mut();
    patches.find_map(|patch| {
        patch.pointer_mut("/patch/value/typed_config/config/vm_config/code/remote")
    })
}

/// The filter's configuration in a WasmPlugin or a TrafficExtension.
pub(crate) fn configuration(plugin: &mut Value) -> &mut Value {
    &mut wasm(plugin)["pluginConfig"]
}

/// Where one of both names the module.
pub(crate) fn wasm(plugin: &mut Value) -> &mut Value {
    match plugin["kind"].as_str() {
        Some("TrafficExtension") => &mut plugin["spec"]["wasm"],
        _ => &mut plugin["spec"],
    }
}
