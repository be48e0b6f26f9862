/* fuzz_devices_legacy.c - fuzz_devices.c with the legacy registers of virtio-mmio; its corpus is the same. */
#define LEGACY 1
#include "fuzz_devices.c"
