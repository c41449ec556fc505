//! breakglass
