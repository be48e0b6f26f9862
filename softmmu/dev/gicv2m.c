/* gicv2m.c - the GICv2m frame: a register whose writes become edges on SPIs, for PCI's MSIs without an ITS. */
#include "dev/gic_core.h"

enum { FRAME = 0x1000 };

static uint64_t typer_read(void *of, unsigned n, bool ns)
{
    const Gic *g = of;
    (void)n, (void)ns;
    return (uint64_t)(GIC_PRIVATE + g->config.v2m_spi) << 16 | g->config.v2m_count;
}

static void setspi_write(void *of, unsigned n, uint64_t v, bool ns)
{
    Gic *g = of;
    uint32_t intid = v & 0x3ff, first = GIC_PRIVATE + g->config.v2m_spi;
    (void)n, (void)ns;
    if (intid >= first && intid < first + g->config.v2m_count) {
        gic_pulse_spi(g, intid);
    }
}

// clang-format off
static const GicReg regs[] = {
    /* at   size count read        write         reset */
    {0x008, 4,   1,    typer_read, NULL,         0}, /* MSI_TYPER */
    {0x040, 4,   1,    NULL,       setspi_write, 0}, /* MSI_SETSPI_NS */
};
// clang-format on

void gicv2m_map(Gic *g)
{
    ASSERT(g->config.v2m_spi + g->config.v2m_count <= g->config.spis);
    g->frame_v2m = (GicFrame){.of = g, .regs = regs, .count = LEN(regs)};
    gic_frame_map(g, &g->frame_v2m, "gicv2m", g->config.v2m, FRAME);
}
