//! Properties as fields of a struct.

/// Gives settings `set_field` and `field`, which know their fields by the names of properties.
macro_rules! property_fields {
    ($settings:ty { $($name:literal => $field:ident,)* }) => {
        impl $settings {
            /// Sets a property; GObject has checked its type and range.
            pub fn set_field(&mut self, name: &str, value: &gst::glib::Value) {
                match name {
                    $($name => {
                        if let Ok(value) = value.get() {
                            self.$field = value;
                        }
                    })*
                    _ => {}
                }
            }

            /// A property's value; `None` for one that is not here.
            pub fn field(&self, name: &str) -> Option<gst::glib::Value> {
                match name {
                    $($name => Some(self.$field.to_value()),)*
                    _ => None,
                }
            }
        }
    };
}

pub(super) use property_fields;
