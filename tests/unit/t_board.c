/* t_board.c - the board's own devices as their drivers use them: serial port, clock, lines, flash, firmware configuration;
 * the I/O loop; lists of options; JSON.
 *
 * Each device sits alone on an address space; its interrupt is a variable. Registers by the Arm manuals' names are offsets.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "softmmu/chardev.h"
#include "softmmu/dev/flash.h"
#include "softmmu/dev/fw_cfg.h"
#include "softmmu/dev/pl011.h"
#include "softmmu/dev/pl031.h"
#include "softmmu/dev/pl061.h"
#include "softmmu/json.h"
#include "softmmu/options.h"

static Machine machine;
static bool level;
static uint8_t *ram;
enum { BASE = 0x9000000, RAM = 0x40000000, RAM_SIZE = 1 << 20 };

static void on_irq(void *opaque, unsigned line, bool l)
{
    (void)opaque;
    (void)line;
    level = l;
}

static const Irq irq = {on_irq, NULL, 0};

static void begin(void)
{
    static Options options;
    machine_init(&machine, &options);
    machine.mem = mem_new();
    ram = aligned_alloc(4096, RAM_SIZE);
    memset(ram, 0, RAM_SIZE);
    mem_add_ram(machine.mem, "ram", (Gpa){RAM}, RAM_SIZE, ram, false);
}

static uint64_t rd(uint64_t offset, unsigned size)
{
    uint64_t v = 0;
    cr_assert(mem_access(machine.mem, (Gpa){BASE + offset}, size, false, &v, (MemAttrs){0}));
    return v;
}

static void wr(uint64_t offset, unsigned size, uint64_t v)
{
    cr_assert(mem_access(machine.mem, (Gpa){BASE + offset}, size, true, &v, (MemAttrs){0}));
}

/* Lets the loop do what is waiting. */
static void quit(void *arg)
{
    event_quit(arg, 0);
}

static void spin(void)
{
    for (unsigned k = 0; k < 4; k++) {
        event_call(machine.loop, quit, machine.loop);
        event_run(machine.loop);
    }
}

/* -- PL011 ------------------------------------------------------------------------------------------------------------- */

enum { DR = 0, FR = 0x18, LCRH = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44 };

/* A character device whose other end is *peer. */
static Chardev *character_device(const char *options, int *peer)
{
    int pair[2];
    char text[64], why[200];
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    snprintf(text, sizeof text, "socket,id=u,fd=%d%s", pair[0], options);
    Chardev *c = chardev_from_options(machine.loop, opt_list("-chardev", text, "backend"), why, sizeof why);
    cr_assert(c, "%s", why);
    *peer = pair[1];
    return c;
}

static int uart(void)
{
    int peer;
    begin();
    Chardev *c = character_device("", &peer);
    cr_assert(pl011_new(&machine, "uart", (Gpa){BASE}, irq, c));
    cr_assert(!pl011_new(&machine, "second", (Gpa){BASE + 0x1000}, irq, c), "one user");
    spin();
    return peer;
}

Test(board, uart_sends)
{
    char got[8];
    int peer = uart();
    cr_assert_eq(rd(FR, 4) & 0xf8, 0x90, "both FIFOs empty");
    wr(IMSC, 4, 0x20);
    cr_assert(!level);
    for (const char *s = "hello"; *s; s++) {
        wr(DR, 1, (uint8_t)*s);
    }
    cr_assert(level, "TX");
    cr_assert_eq(rd(MIS, 4), 0x20);
    wr(ICR, 4, 0x20);
    cr_assert(!level);
    spin();
    cr_assert_eq(read(peer, got, sizeof got), 5);
    cr_assert(!memcmp(got, "hello", 5));
}

Test(board, uart_receives)
{
    int peer = uart();
    wr(LCRH, 4, 0x70);
    wr(CR, 4, 0x301);
    wr(IMSC, 4, 0x50);
    cr_assert_eq(write(peer, "abcdefghijklmnopqrstuvwxyz", 26), 26);
    spin();
    cr_assert(level);
    cr_assert_eq(rd(FR, 4) & 0x50, 0x40, "full");
    cr_assert(rd(RIS, 4) & 0x10, "RX at the trigger");
    for (char c = 'a'; c <= 'z'; c++) {
        spin();
        cr_assert_eq(rd(DR, 4), (uint64_t)c);
    }
    spin();
    cr_assert_eq(rd(FR, 4) & 0x10, 0x10, "empty");
    cr_assert(!level);
    cr_assert_eq(write(peer, "x", 1), 1);
    spin();
    cr_assert_eq(rd(MIS, 4), 0x40, "one alone: the time-out");
    wr(LCRH, 4, 0);
    cr_assert_eq(rd(FR, 4) & 0x10, 0x10, "switching the FIFO empties it");
}

static char monitor_got[16];

static void monitor_receives(void *dev, const uint8_t *from, unsigned n)
{
    (void)dev;
    strncat(monitor_got, (const char *)from, n);
}

/* What was typed ahead of Ctrl-A c is the guest's, also what its UART has no room for yet. */
Test(board, what_is_typed_ahead_of_the_monitor_arrives)
{
    static const CharUser monitor = {.receive = monitor_receives};
    int peer;
    CharEnd end;
    begin();
    Chardev *c = character_device(",mux=on", &peer);
    cr_assert(pl011_new(&machine, "uart", (Gpa){BASE}, irq, c));
    cr_assert(chardev_attach(c, &monitor, NULL, &end));
    wr(LCRH, 4, 0x70);
    wr(CR, 4, 0x301);
    cr_assert_eq(write(peer, "abcdefghijklmnopqrstuvwxyz\001cinfo", 32), 32);
    spin();
    cr_assert_str_eq(monitor_got, "info");
    for (char k = 'a'; k <= 'z'; k++) {
        spin();
        cr_assert_eq(rd(DR, 4), (uint64_t)k);
    }
    cr_assert_eq(write(peer, "!\001c?", 4), 4);
    spin();
    cr_assert_str_eq(monitor_got, "info!");
    cr_assert_eq(rd(DR, 4), '?');
}

Test(board, uart_loops_back)
{
    uart();
    wr(LCRH, 4, 0x70);
    wr(CR, 4, 0x381);
    for (unsigned k = 0; k < 20; k++) {
        wr(DR, 4, k);
    }
    cr_assert(rd(RIS, 4) & 0x400, "overrun");
    for (unsigned k = 0; k < 16; k++) {
        cr_assert_eq(rd(DR, 4) & 0xff, k);
    }
    wr(LCRH, 4, 0x71);
    cr_assert(rd(RIS, 4) & 0x200, "break");
    static const uint8_t id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned k = 0; k < 8; k++) {
        cr_assert_eq(rd(0xfe0 + 4 * k, 4), id[k]);
    }
    cr_assert_eq(rd(0x3ff, 1), 0, "nothing there");
}

/* -- PL031, PL061 -------------------------------------------------------------------------------------------------------- */

Test(board, clock_and_alarm)
{
    begin();
    pl031_new(&machine, "rtc", (Gpa){BASE}, irq, 1700000000);
    uint64_t now = rd(0, 4);
    cr_assert(now >= 1700000000 && now < 1700000005);
    wr(0x10, 4, 1);
    wr(8, 4, 5000);
    cr_assert(rd(0, 4) - 5000 < 3);
    for (now = rd(0, 4); rd(0, 4) == now; usleep(1000)) { /* a second begins, and ends behind what follows */
    }
    wr(4, 4, (uint32_t)rd(0, 4));
    cr_assert(level, "the alarm is now");
    wr(0x1c, 4, 1);
    cr_assert(!level);
    wr(4, 4, (uint32_t)rd(0, 4) + 1);
    cr_assert(!level);
    for (unsigned k = 0; k < 30 && !level; k++) {
        usleep(100000);
        spin();
    }
    cr_assert(level, "the alarm came");
    cr_assert_eq(rd(0x14, 4), 1);
}

static unsigned driven;

static void on_line(void *arg, unsigned line, bool l)
{
    (void)arg;
    driven = (driven & ~(1u << line)) | (unsigned)l << line;
}

Test(board, lines)
{
    begin();
    Pl061 *p = pl061_new(&machine, "gpio", (Gpa){BASE}, irq, on_line, NULL);
    wr(0x400, 4, 0xf0);
    wr(0x3fc, 4, 0xff);
    cr_assert_eq(driven, 0xf0, "outputs only");
    cr_assert_eq(rd(0x3fc, 4), 0xf0);
    wr(0x40 << 2, 4, 0);
    cr_assert_eq(driven, 0xb0, "one line by its address");
    wr(0x410, 4, 0x08);
    wr(0x40c, 4, 0x08);
    pl061_drive(p, 3, true);
    cr_assert(level, "rising edge");
    wr(0x41c, 4, 0x08);
    cr_assert(!level);
    pl061_drive(p, 3, false);
    cr_assert(!level);
    wr(0x408, 4, 0x08);
    pl061_drive(p, 3, true);
    cr_assert(level, "both edges");
    wr(0x41c, 4, 0xff);
    wr(0x404, 4, 0x08);
    cr_assert(level, "high level");
    pl061_drive(p, 3, false);
    cr_assert(!level);
}

/* -- flash --------------------------------------------------------------------------------------------------------------- */

enum { SECTOR = 256 << 10 };

Test(board, flash_commands)
{
    begin();
    cr_assert_eq(flash_new(&machine, "flash", (Gpa){BASE}, 4 * SECTOR, NULL, "content", 7), 0);
    cr_assert_eq(rd(0, 4), 0x746e6f63);
    wr(0x55 * 4, 4, 0x00980098);
    cr_assert_eq(rd(0x10 * 4, 4), 0x00510051, "Q");
    cr_assert_eq(rd(0x11 * 4, 4), 0x00520052, "R");
    cr_assert_eq(rd(0x27 * 4, 4), 0x00130013, "2^19 bytes in each chip");
    cr_assert_eq(rd(0x2d * 4, 4), 0x00030003, "4 sectors");
    wr(0, 4, 0x00900090);
    cr_assert_eq(rd(0, 4), 0x00890089);
    wr(0, 4, 0x00ff00ff);
    cr_assert_eq(rd(0, 4), 0x746e6f63);
    wr(SECTOR, 4, 0x00200020);
    wr(SECTOR, 4, 0x00d000d0);
    cr_assert_eq(rd(SECTOR, 4), 0x00800080, "ready");
    wr(0, 4, 0x00ff00ff);
    cr_assert_eq(rd(SECTOR, 4), 0xffffffff);
    cr_assert_eq(rd(2 * SECTOR - 4, 4), 0xffffffff);
    cr_assert_eq(rd(2 * SECTOR, 4), 0);
    wr(SECTOR + 8, 4, 0x00400040);
    wr(SECTOR + 8, 4, 0x12345678);
    wr(SECTOR + 8, 4, 0x00400040);
    wr(SECTOR + 8, 4, 0xffff0000);
    wr(0, 4, 0x00ff00ff);
    cr_assert_eq(rd(SECTOR + 8, 4), 0x12340000, "bits become 0 only");
}

Test(board, flash_buffer)
{
    begin();
    flash_new(&machine, "flash", (Gpa){BASE}, 4 * SECTOR, NULL, NULL, 0);
    wr(0, 4, 0x00200020);
    wr(0, 4, 0x00d000d0);
    wr(0x100, 4, 0x00e800e8);
    wr(0x100, 4, 0x00030003);
    for (unsigned k = 0; k < 4; k++) {
        wr(0x100 + 4 * k, 4, 0x11111111 * (k + 1));
    }
    wr(0x100, 4, 0x00d000d0);
    cr_assert_eq(rd(0, 4), 0x00800080);
    wr(0, 4, 0x00ff00ff);
    cr_assert_eq(rd(0x10c, 4), 0x44444444);
    cr_assert_eq(rd(0x110, 4), 0xffffffff);
    wr(0, 4, 0x00e800e8); /* into two buffers at once: refused */
    wr(0, 4, 0x00010001);
    wr(0, 4, 0);
    wr(SECTOR - 4, 4, 0);
    wr(0, 4, 0x00d000d0);
    cr_assert_eq(rd(0, 4) & 0x10, 0x10, "program error");
    wr(0, 4, 0x00500050);
    wr(0, 4, 0x00700070);
    cr_assert_eq(rd(0, 4), 0x00800080, "cleared");
}

/* -- firmware configuration ---------------------------------------------------------------------------------------------- */

static void dma(uint32_t control, uint32_t length, uint64_t address)
{
    uint64_t be[2] = {__builtin_bswap64((uint64_t)control << 32 | length), __builtin_bswap64(address)};
    memcpy(ram, be, sizeof be);
    wr(16, 8, __builtin_bswap64(RAM));
}

static uint32_t dma_status(void)
{
    uint32_t v;
    memcpy(&v, ram, 4);
    return __builtin_bswap32(v);
}

Test(board, fw_cfg)
{
    static char writable[4] = "abcd";
    char name[60];
    begin();
    FwCfg *f = fw_cfg_new(&machine, "fw_cfg", (Gpa){BASE});
    cr_assert(fw_cfg_file(f, "etc/one", "first file", 10, false));
    cr_assert(fw_cfg_file(f, "etc/two", writable, 4, true));
    cr_assert(!fw_cfg_file(f, "etc/two", "x", 1, false), "a name twice");
    memset(name, 'n', sizeof name - 4);
    name[56] = 0;
    cr_assert(!fw_cfg_file(f, name, "x", 1, false), "56 characters");
    wr(8, 2, 0);
    cr_assert_eq(rd(0, 4), 0x554d4551, "QEMU");
    cr_assert_eq(rd(0, 8), 0, "behind the end");
    wr(8, 2, __builtin_bswap16(1));
    cr_assert_eq(rd(0, 1), 3, "with DMA");
    cr_assert_eq(rd(16, 8), 0x47464320554d4551, "QEMU CFG, big-endian");
    wr(8, 2, __builtin_bswap16(25));
    cr_assert_eq(rd(0, 4), __builtin_bswap32(2), "two files");
    dma(32 << 16 | 8 | 2, 20, RAM + 0x100);
    cr_assert_eq(dma_status(), 0);
    cr_assert(!memcmp(ram + 0x100, "first file\0\0\0\0\0\0\0\0\0\0", 20));
    dma(32 << 16 | 8 | 4, 6, 0);
    dma(2, 4, RAM + 0x100);
    cr_assert(!memcmp(ram + 0x100, "file", 4), "skipped");
    dma(33 << 16 | 8 | 16, 4, RAM + 0x100);
    cr_assert_eq(dma_status(), 0);
    cr_assert(!memcmp(writable, "file", 4));
    dma(33 << 16 | 8 | 16, 5, RAM + 0x100);
    cr_assert_eq(dma_status(), 1, "too much");
    dma(32 << 16 | 8 | 16, 1, RAM + 0x100);
    cr_assert_eq(dma_status(), 1, "read-only");
    dma(32 << 16 | 8 | 2, 10, 0x10);
    cr_assert_eq(dma_status(), 1, "no memory there");
    dma(32 << 16 | 8 | 2, 10, ~(uint64_t)0);
    cr_assert_eq(dma_status(), 1, "around the end");
    dma(0x3fffu << 16 | 8 | 2, 4, RAM + 0x100);
    cr_assert_eq(dma_status(), 0, "no such item reads as zeros");
}

/* -- the I/O loop -------------------------------------------------------------------------------------------------------- */

static uint64_t order[64];
static unsigned norder;

static void on_timer(void *arg)
{
    order[norder++] = (uint64_t)(uintptr_t)arg;
}

Test(board, timers_in_order)
{
    EventTimer t[64];
    begin();
    uint64_t now = event_now();
    for (unsigned k = 0; k < 64; k++) {
        event_timer_init(&t[k], machine.loop, on_timer, (void *)(uintptr_t)(k * 37 % 64));
        event_timer_set(&t[k], now + 1 + k * 37 % 64);
    }
    for (unsigned k = 0; k < 64; k += 2) {
        event_timer_set(&t[k], 0);
        event_timer_set(&t[k + 1], t[k + 1].at);
    }
    spin();
    cr_assert_eq(norder, 32);
    for (unsigned k = 1; k < norder; k++) {
        cr_assert_lt(order[k - 1], order[k]);
    }
}

static unsigned ready;

static void on_fd(void *arg, uint32_t events)
{
    ready += events & EPOLLIN;
    event_fd(machine.loop, *(int *)arg, 0, NULL, NULL);
}

Test(board, descriptors)
{
    int p[2], zero;
    begin();
    cr_assert(pipe(p) == 0);
    event_fd(machine.loop, p[0], EPOLLIN, on_fd, &p[0]);
    spin();
    cr_assert_eq(ready, 0);
    cr_assert_eq(write(p[1], "x", 1), 1);
    spin();
    cr_assert_eq(ready, 1, "and forgotten by its own call");
    FILE *f = tmpfile();
    zero = fileno(f);
    cr_assert_eq(event_fd(machine.loop, zero, EPOLLIN, on_fd, &zero), 0, "what epoll refuses is always ready");
    spin();
    cr_assert_eq(ready, 2);
}

/* -- text ---------------------------------------------------------------------------------------------------------------- */

Test(board, option_lists)
{
    OptList *o = opt_list("-x", "first,a=1,b=two,,three,flag,noother,a=2,size=3M,last=", "kind");
    cr_assert_str_eq(opt_take(o, "kind"), "first");
    cr_assert_str_eq(opt_take(o, "a"), "2", "the last counts");
    cr_assert_str_eq(opt_take(o, "b"), "two,three");
    cr_assert_str_eq(opt_take(o, "flag"), "on");
    cr_assert_str_eq(opt_take(o, "other"), "off");
    cr_assert_eq(opt_take_size(o, "size", 1, 0), 3 << 20);
    cr_assert_str_eq(opt_take(o, "last"), "");
    cr_assert_null(opt_take(o, "absent"));
    opt_rest(o);
    uint64_t n;
    static const char *const wrong[] = {"", "x", "-1", "1x", "0x", "99999999999999999999", "16E", "1kk"};
    for (unsigned k = 0; k < LEN(wrong); k++) {
        cr_assert(!opt_number(wrong[k], true, 1, &n), "%s", wrong[k]);
    }
    cr_assert(opt_number("0x10", false, 1, &n) && n == 16);
    cr_assert(opt_number("2", true, 1 << 20, &n) && n == 2 << 20);
    cr_assert(opt_number("1GiB", true, 1, &n) && n == 1 << 30);
}

Test(board, json)
{
    static const char text[] = "{\"execute\": \"a\\\"b\", \"id\": [1, {\"x\": \"}\"}], \"arguments\": {\"n\": -5, \"on\": true}}";
    JsonPart p = {text, sizeof text - 1};
    char s[32];
    int64_t n;
    cr_assert(json_valid(text, sizeof text - 1));
    cr_assert(json_string(json_member(p, "execute"), s, sizeof s));
    cr_assert_str_eq(s, "a\"b");
    cr_assert(json_number(json_member(json_member(p, "arguments"), "n"), &n) && n == -5);
    cr_assert(json_is_true(json_member(json_member(p, "arguments"), "on")));
    cr_assert(json_number(json_element(json_member(p, "id"), 0), &n) && n == 1);
    cr_assert_null(json_member(p, "absent").at);
    cr_assert_null(json_element(json_member(p, "id"), 2).at);
    cr_assert(!json_string(json_member(p, "id"), s, sizeof s));
    static const char *const wrong[] = {"", "{", "{\"a\"}", "{\"a\":}", "[1,]", "{\"a\":1,}", "\"", "{\"a\":1}x", "[[[[", "{1:2}"};
    for (unsigned k = 0; k < LEN(wrong); k++) {
        cr_assert(!json_valid(wrong[k], strlen(wrong[k])), "%s", wrong[k]);
    }
    json_quote("a\"\\\n", s, sizeof s);
    cr_assert_str_eq(s, "\"a\\\"\\\\\\u000a\"");
}
