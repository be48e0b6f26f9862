/* blocktest.c - random reads, writes, zeros, discards and reopenings of an image against a copy of the disk in memory.
 *
 * usage: blocktest IMAGE FORMAT CONTENT SEED N [OPTION...]
 * CONTENT is a raw file with what the image holds at first ("-": zeros); after the run it is replaced by what the image must
 * hold now, so that a script can compare with other tools. OPTION: snapshot, unmap, readonly, writethrough.
 *        blocktest -k IMAGE FORMAT SEED: writes and flushes numbered sectors for ever and prints each number that was
 *        flushed, to be killed.          blocktest -c IMAGE FORMAT LAST: checks that all up to LAST are there.
 *        blocktest -o IMAGE FORMAT [OPTION...]: only opens it and reads all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "softmmu/block.h"

enum { KILL_SECTORS = 1 << 16, SECTOR = 512 };

static uint64_t rng;

static uint64_t rnd(uint64_t below)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return below ? (rng >> 20) % below : 0;
}

static void die(const char *what, int err)
{
    printf("%s: %s\n", what, strerror(-err));
    exit(1);
}

static Block *open_image(const char *path, const char *format, int n, char **options)
{
    BlockOptions o = {.format = !strcmp(format, "raw") ? BLOCK_RAW : !strcmp(format, "qcow2") ? BLOCK_QCOW2 : BLOCK_PROBE};
    for (int i = 0; i < n; i++) {
        o.snapshot |= !strcmp(options[i], "snapshot");
        o.unmap |= !strcmp(options[i], "unmap");
        o.readonly |= !strcmp(options[i], "readonly");
        o.writethrough |= !strcmp(options[i], "writethrough");
    }
    char err[4096] = "no reason given";
    Block *b = block_open(path, &o, err, sizeof err);
    if (!b) {
        printf("refused: %s\n", err);
        exit(3);
    }
    return b;
}

/* Half of the ranges end or begin at a cluster's or sector's edge. */
static void range(uint64_t size, uint64_t *at, uint64_t *len)
{
    uint64_t unit = rnd(2) ? 65536 : 512;
    *at = rnd(size);
    *len = 1 + rnd(rnd(4) ? 8192 : 400000);
    if (rnd(2)) {
        *at &= ~(unit - 1);
        *len = (*len + unit - 1) & ~(unit - 1);
    }
    if (*len > size - *at) {
        *len = size - *at;
    }
}

static void fill(uint8_t *p, uint64_t len)
{
    uint64_t v = rnd(3) ? rng : 0;
    for (uint64_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(v >> (i % 8 * 8)) + (uint8_t)(i >> 3);
    }
}

static void check(Block *b, const uint8_t *want, uint8_t *buf, uint64_t at, uint64_t len)
{
    int err = block_read(b, at, buf, len);
    if (err) {
        die("read", err);
    }
    for (uint64_t i = 0; i < len; i++) {
        if (buf[i] != want[at + i]) {
            printf("wrong byte at %llu: %02x, want %02x\n", (unsigned long long)(at + i), buf[i], want[at + i]);
            exit(1);
        }
    }
}

static int test(int argc, char **argv)
{
    Block *b = open_image(argv[1], argv[2], argc - 6, argv + 6);
    uint64_t size = block_size(b);
    if (size > 1 << 30) {
        printf("too large to be compared\n");
        return 1;
    }
    uint8_t *want = calloc(1, size + 1), *buf = malloc(size + 1);
    FILE *f = strcmp(argv[3], "-") ? fopen(argv[3], "r+") : NULL;
    if (!want || !buf || (f && fread(want, 1, size, f) != size)) {
        printf("content does not fit\n");
        return 1;
    }
    bool lasting = true;
    for (int i = 6; i < argc; i++) {
        lasting &= strcmp(argv[i], "snapshot") && strcmp(argv[i], "readonly");
    }
    rng = strtoull(argv[4], NULL, 0);
    check(b, want, buf, 0, size);
    unsigned long n = strtoul(argv[5], NULL, 0);
    for (unsigned long i = 0; i < n; i++) {
        uint64_t at, len;
        int err = 0;
        range(size, &at, &len);
        switch (block_readonly(b) ? 0 : rnd(8)) {
        case 0:
        case 1: check(b, want, buf, at, len); break;
        case 2: err = block_zero(b, at, len, rnd(2)); memset(want + at, 0, len); break;
        case 3:
            err = block_discard(b, at, len);
            if (!err && (err = block_read(b, at, want + at, len))) {
                die("read", err);
            }
            break;
        case 4: err = block_flush(b); break;
        default:
            fill(want + at, len);
            err = block_write(b, at, want + at, len);
            break;
        }
        if (err) {
            die("operation", err);
        }
        if (lasting && !rnd(200)) {
            block_close(b);
            b = open_image(argv[1], argv[2], argc - 6, argv + 6);
        }
    }
    check(b, want, buf, 0, size);
    if (block_read(b, size, buf, 1) == 0 || block_read(b, ~(uint64_t)0, buf, 2) == 0) {
        printf("reads behind the end\n");
        return 1;
    }
    block_close(b);
    if (f && lasting) {
        rewind(f);
        fwrite(want, 1, size, f);
        fclose(f);
    }
    free(want);
    free(buf);
    printf("%lu operations right\n", n);
    return 0;
}

static uint64_t sector_of(uint64_t k)
{
    return k * 40503 % KILL_SECTORS;
}

static int write_for_ever(char **argv)
{
    Block *b = open_image(argv[2], argv[3], 0, NULL);
    uint64_t data[SECTOR / 8], start = strtoull(argv[4], NULL, 0);
    for (uint64_t k = start; k < start + KILL_SECTORS; k++) {
        for (unsigned i = 0; i < SECTOR / 8; i++) {
            data[i] = k;
        }
        int err = block_write(b, sector_of(k) * SECTOR, data, SECTOR);
        if (!err && k % 16 == 15) {
            err = block_flush(b);
            dprintf(1, "%llu\n", (unsigned long long)k);
        }
        if (err) {
            die("write", err);
        }
    }
    block_close(b);
    return 0;
}

static int check_killed(char **argv)
{
    Block *b = open_image(argv[2], argv[3], 0, NULL);
    uint64_t first = strtoull(argv[4], NULL, 0), last = strtoull(argv[5], NULL, 0), data[SECTOR / 8];
    for (uint64_t k = first; k <= last; k++) {
        int err = block_read(b, sector_of(k) * SECTOR, data, SECTOR);
        if (err || data[0] != k || data[SECTOR / 8 - 1] != k) {
            printf("sector %llu of write %llu: %d, %llu\n", (unsigned long long)sector_of(k), (unsigned long long)k, err,
                   (unsigned long long)data[0]);
            return 1;
        }
    }
    block_close(b);
    return 0;
}

static int read_all(int argc, char **argv)
{
    Block *b = open_image(argv[2], argv[3], argc - 4, argv + 4);
    static uint8_t buf[1 << 20];
    int err = 0;
    for (uint64_t at = 0; at < block_size(b) && !err; at += sizeof buf) {
        uint64_t len = block_size(b) - at;
        err = block_read(b, at, buf, len < sizeof buf ? len : sizeof buf);
    }
    printf("%llu bytes, %s\n", (unsigned long long)block_size(b), strerror(-err));
    block_close(b);
    return err ? 4 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[1], "-k")) {
        return write_for_ever(argv);
    }
    if (argc == 6 && !strcmp(argv[1], "-c")) {
        return check_killed(argv);
    }
    if (argc >= 4 && !strcmp(argv[1], "-o")) {
        return read_all(argc, argv);
    }
    return argc >= 6 ? test(argc, argv) : 2;
}
