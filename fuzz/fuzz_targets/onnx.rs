#![no_main]

libfuzzer_sys::fuzz_target!(|case: &[u8]| fuzz_checks::onnx(case));
