//! Embeds the interface (`ui/dist`, made by `cargo xtask dist`) and the permissions.

fn main() {
    tauri_build::build();
}
