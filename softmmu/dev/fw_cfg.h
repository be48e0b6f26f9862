/* fw_cfg.h - firmware configuration: numbered items and named files that the guest's firmware reads (by register or DMA). */
#ifndef ARMX_SOFTMMU_DEV_FW_CFG_H
#define ARMX_SOFTMMU_DEV_FW_CFG_H

#include "machine.h"

typedef struct FwCfg FwCfg;

/* Numbers of items with a fixed meaning. */
enum {
    FW_SIGNATURE = 0, FW_ID = 1, FW_UUID = 2, FW_RAM_SIZE = 3, FW_NOGRAPHIC = 4, FW_NB_CPUS = 5, FW_KERNEL_SIZE = 8,
    FW_INITRD_SIZE = 11, FW_BOOT_MENU = 14, FW_MAX_CPUS = 15, FW_KERNEL_DATA = 17, FW_INITRD_DATA = 18, FW_CMDLINE_SIZE = 20,
    FW_CMDLINE_DATA = 21, FW_DIR = 25,
};

FwCfg *fw_cfg_new(Machine *m, const char *name, Gpa base);
/* data lives as long as the machine. */
void fw_cfg_item(FwCfg *f, unsigned number, const void *data, size_t size);
void fw_cfg_u16(FwCfg *f, unsigned number, uint16_t value);
void fw_cfg_u32(FwCfg *f, unsigned number, uint32_t value);
/* A file by name ("etc/..."); at most 55 characters. False: no room or a name twice. Writable: the guest may change data. */
bool fw_cfg_file(FwCfg *f, const char *name, void *data, size_t size, bool writable);

#endif
