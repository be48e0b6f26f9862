/* t_ir.c - the IR's interpreter, text form and verifier.
 *
 * Programs are written in the text form (ir/text.h) over a small CPU of four integer and four vector registers.
 * A row of `rows` is the middle of a program: %1 %2 are X0 X1, %3 %4 their low halves, %5 the flags, %6 %7 V0 V1;
 * it makes the integer %9, which goes to X2.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "interp.h"
#include "softfloat.h"

typedef struct TestCpu {
    CpuHead head;
    uint64_t x[4], pc;
    uint32_t nzcv;
    V128 v[4];
} TestCpu;

#define SLOT(n, field, ty) {n, offsetof(TestCpu, field), ty}
static const IrSlot slots[] = {
    SLOT("x0", x[0], I64),   SLOT("x1", x[1], I64),   SLOT("x2", x[2], I64),   SLOT("x3", x[3], I64),
    SLOT("pc", pc, I64),     SLOT("nzcv", nzcv, TFLAGS), SLOT("v0", v[0], TV128), SLOT("v1", v[1], TV128),
    SLOT("v2", v[2], TV128), SLOT("v3", v[3], TV128),
};

static uint64_t h_mix(TestCpu *cpu, uint64_t a, uint32_t b, const V128 *v)
{
    return cpu->x[3] + 2 * a + b + v->d[1];
}

static void h_swap(TestCpu *cpu, V128 *r, const V128 *v)
{
    cpu->x[3]++;
    *r = (V128){.d = {v->d[1], v->d[0]}};
}

static void h_note(TestCpu *cpu, uint32_t a)
{
    cpu->x[3] = a;
}

static const IrHelper helpers[] = {
    {"mix", (void *)(uintptr_t)h_mix, I64, {I64, I32, TV128}, STATE},
    {"swap", (void *)(uintptr_t)h_swap, TV128, {TV128, TY_NONE, TY_NONE}, STATE},
    {"note", (void *)(uintptr_t)h_note, TY_NONE, {I32, TY_NONE, TY_NONE}, STATE | FAULTS},
};

static const Frontend fe = {.name = "test", .slots = slots, .nslots = LEN(slots), .helpers = helpers,
                            .nhelpers = LEN(helpers), .cpu_size = sizeof(TestCpu), .pc_slot = 4, .nzcv_slot = 5};

static IrIns ins[2048];
static V128 scratch[2048];

/* Parses and checks a program; the test fails when it is no good. */
static void load(IrRegion *r, const char *text)
{
    char msg[200];
    r->ins = ins;
    r->cap = LEN(ins);
    cr_assert_eq(ir_parse(text, r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg), 0, "%s in\n%s", msg, text);
    const char *bad = ir_verify(r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg);
    cr_assert_null(bad, "%s in\n%s", bad, text);
}

static ExcKind run(TestCpu *cpu, const char *text)
{
    static IrRegion r;
    load(&r, text);
    return ir_interp_run(&fe, &r, &cpu->head, 0, scratch);
}

/* -- operations by rows -------------------------------------------------------------------------------- */

typedef struct OpRow {
    const char *text;
    uint64_t a, b, want;
} OpRow;

#define M1 0xffffffffffffffffull
static const OpRow rows[] = {
    {"%9 = add.i64 %1, %2", M1, 2, 1},
    {"%9 = add.i32 %3, %4", 0xffffffff, 2, 1},
    {"%9 = sub.i32 %3, %4", 1, 2, 0xffffffff},
    {"%9 = mul.i32 %3, %4", 0x10001, 0x10001, 0x20001},
    {"%9 = mulh_s.i64 %1, %2", M1, 2, M1},
    {"%9 = mulh_u.i64 %1, %2", M1, 2, 1},
    {"%9 = sdiv.i64 %1, %2", 0x8000000000000000, M1, 0x8000000000000000},
    {"%9 = sdiv.i32 %3, %4", 0x80000000, 0xffffffff, 0x80000000},
    {"%9 = sdiv.i32 %3, %4", 0xfffffff9, 2, 0xfffffffd},
    {"%9 = sdiv.i64 %1, %2", 5, 0, 0},
    {"%9 = udiv.i64 %1, %2", M1, 3, 0x5555555555555555},
    {"%9 = udiv.i32 %3, %4", 7, 0, 0},
    {"%9 = neg.i32 %3", 1, 0, 0xffffffff},
    {"%9 = not.i64 %1", 1, 0, M1 - 1},
    {"%9 = andn.i64 %1, %2", 0xff, 0x0f, 0xf0},
    {"%9 = shl.i32 %3, %4", 3, 33, 6},
    {"%9 = lshr.i64 %1, %2", 0x8000000000000000, 127, 1},
    {"%9 = ashr.i32 %3, %4", 0x80000000, 31, 0xffffffff},
    {"%9 = ror.i32 %3, %4", 1, 1, 0x80000000},
    {"%9 = extr.i32 %3, %4 imm=8", 0x12345678, 0xabcdef01, 0x78abcdef},
    {"%9 = extr.i64 %1, %2", 1, 2, 2},
    {"%9 = ubfx.i64 %1 x=8 y=16", 0x123456789a, 0, 0x5678},
    {"%9 = sbfx.i32 %3 x=4 y=4", 0xf0, 0, 0xffffffff},
    {"%9 = bfi.i64 %1, %2 x=4 y=8", M1, 0x1a5, 0xfffffffffffffa5f},
    {"%9 = clz.i32 %3", 1, 0, 31},
    {"%9 = clz.i64 %1", 0, 0, 64},
    {"%9 = cls.i32 %3", 0xffffffff, 0, 31},
    {"%9 = cls.i64 %1", 0x4000000000000000, 0, 0},
    {"%9 = ctz.i32 %3", 0, 0, 32},
    {"%9 = popcnt.i64 %1", M1, 0, 64},
    {"%9 = rbit.i32 %3", 1, 0, 0x80000000},
    {"%9 = bswap.i32 %3", 0x11223344, 0, 0x44332211},
    {"%9 = rev16.i32 %3", 0x11223344, 0, 0x22114433},
    {"%9 = rev32.i64 %1", 0x1122334455667788, 0, 0x4433221188776655},
    {"%9 = rev32.i32 %3", 0x11223344, 0, 0x44332211},
    {"%9 = sext32 %3", 0x80000000, 0, 0xffffffff80000000},
    {"%9 = zext32 %3", M1, 0, 0xffffffff},
    {"%9 = trunc %1", M1, 0, 0xffffffff},
    {"%9 = select.i64 %3, %1, %2", 0x100000000, 7, 7},
    {"%9 = is_zero.i64 %1", 0x100000000, 0, 0},
    {"%9 = is_zero.i32 %3 x=1", 0x100000000, 0, 0},
    {"%9 = test_bit.i64 %1 imm=63", 0x8000000000000000, 0, 1},
    {"%9 = test_bit.i64 %1 x=1 imm=63", 0x8000000000000000, 0, 0},
    {"%9 = cmp.i32 %3, %4 x=slt", 0xffffffff, 0, 1},
    {"%9 = cmp.i32 %3, %4 x=ult", 0xffffffff, 0, 0},
    {"%9 = cmp.i64 %1, %2 x=sge", M1, 0, 0},
    {"%9 = cmp.i64 %1, %2 x=ule", 3, 3, 1},
    {"%8 = fl_sub.i64 %1, %2\n%9 = adc.i64 %1, %2, %8", 3, 2, 6},
    {"%8 = fl_sub.i64 %1, %2\n%9 = sbc.i64 %1, %2, %8", 2, 3, M1 - 1},
    {"%8 = fl_add.i64 %1, %2\n%9 = fl_pack %8", M1, 1, PACKED_Z | PACKED_C},
    {"%8 = fl_add.i32 %3, %4\n%9 = fl_pack %8", 0x7fffffff, 1, PACKED_N | PACKED_V},
    {"%8 = fl_sub.i32 %3, %4\n%9 = fl_pack %8", 0x80000000, 1, PACKED_C | PACKED_V},
    {"%8 = fl_sub.i64 %1, %2\n%9 = fl_pack %8", 1, 2, PACKED_N},
    {"%8 = fl_sbc.i64 %1, %2, %5\n%9 = fl_pack %8", 2, 1, PACKED_Z | PACKED_C},
    {"%8 = fl_logic.i32 %3\n%9 = fl_pack %8", 0x80000000, 0, PACKED_N},
    {"%7 = fl_const imm=5\n%8 = fl_select %3, %5, %7\n%9 = fl_pack %8", 0, 0, PACKED_Z | PACKED_V},
    {"%8 = fl_sub.i64 %1, %2\n%9 = test_flags %8 x=lt", M1, 1, 1},
    {"%8 = fl_sub.i64 %1, %2\n%9 = test_flags %8 x=hi", M1, 1, 1},
    {"%8 = fl_sub.i64 %1, %2\n%9 = test_flags %8 x=le", 1, 1, 1},
    {"%8 = fl_sub.i64 %1, %2\n%9 = test_flags %8 x=gt", 0x8000000000000000, 1, 0},
    {"%7 = bits_to_f.f64 %1\n%8 = bits_to_f.f64 %2\n%9 = fl_fcmp.f64 %7, %8\n%9 = fl_pack %9", 0, 0x7ff8000000000000,
     PACKED_C | PACKED_V},
    {"%7 = bits_to_f.f64 %1\n%8 = bits_to_f.f64 %2\n%9 = f_add.f64 %7, %8\n%9 = f_to_bits.i64 %9", 0x3ff0000000000000,
     0x4000000000000000, 0x4008000000000000},
    {"%7 = bits_to_f.f32 %3\n%8 = s_to_v %7\n%9 = v_get.i64.d %8", M1, 0, 0xffffffff},
    {"%8 = bits_to_f.f64 %1\n%9 = f_to_i.i64 %8 x=3 y=19", 0xc1f0000000000000, 0, 0xffffffff00000000},
    {"%8 = bits_to_f.f64 %1\n%9 = f_to_i.i32 %8 x=3 y=3", 0xc1f0000000000000, 0, 0x80000000},
    {"%8 = call.i64 mix %1, %4, %7\n%9 = add.i64 %8, %1", 5, 0x100000001, 5 * 3 + 1 + 44},
    {"%8 = call.v128 swap %7\n%9 = v_get.i64.d %8", 0, 0, 44},
};

Test(ir, op_rows)
{
    for (unsigned n = 0; n < LEN(rows); n++) {
        TestCpu cpu = {.x = {rows[n].a, rows[n].b, 0, 0}, .nzcv = 0, .v = {{.d = {1, 2}}, {.d = {33, 44}}}};
        char text[800];
        static IrRegion r;
        char msg[200];
        snprintf(text, sizeof text,
                 "insn 0x1000\n%%1 = get.i64 x0\n%%2 = get.i64 x1\n%%3 = get.i32 x0\n%%4 = get.i32 x1\n"
                 "%%5 = get.flags nzcv\n%%6 = get.v128 v0\n%%7 = get.v128 v1\n%s\nset.i64 x2, %%9\nexit_pc 0x1004\n",
                 rows[n].text);
        r.ins = ins;
        r.cap = LEN(ins);
        cr_assert_eq(ir_parse(text, &r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg), 0, "%s: %s", rows[n].text, msg);
        IrIns *set = &ins[r.n - 2]; /* takes the type of what the row made */
        set->ty = (uint8_t)ir_result_type(&ins[set->a]);
        const char *bad = ir_verify(&r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg);
        cr_assert_null(bad, "%s: %s", rows[n].text, bad);
        cr_expect_eq(ir_interp_run(&fe, &r, &cpu.head, 0, scratch), EXC_NONE);
        cr_expect_eq(cpu.x[2], rows[n].want, "%s: %llx", rows[n].text, (unsigned long long)cpu.x[2]);
        cr_expect_eq(cpu.pc, 0x1004);
    }
}

/* -- slots, memory, exits ------------------------------------------------------------------------------- */

Test(ir, narrow_sets_zero_the_rest)
{
    TestCpu cpu = {.x = {M1, M1, M1, M1}, .v = {{.d = {M1, M1}}, {.d = {M1, M1}}, {.d = {M1, M1}}}};
    cr_expect_eq(run(&cpu, "%1 = get.i32 x0\n%2 = get.f64 v0\n%3 = get.f16 v1\nset.i32 x1, %1\nset.f64 v1, %2\n"
                           "set.f16 v2, %3\nexit_pc 0x10\n"),
                 EXC_NONE);
    cr_expect_eq(cpu.x[1], 0xffffffff);
    cr_expect(cpu.v[1].d[0] == M1 && cpu.v[1].d[1] == 0);
    cr_expect(cpu.v[2].d[0] == 0xffff && cpu.v[2].d[1] == 0);
}

Test(ir, memory)
{
    static uint8_t mem[64] __attribute__((aligned(16)));
    for (unsigned i = 0; i < sizeof mem; i++) {
        mem[i] = (uint8_t)(0x80 + i);
    }
    TestCpu cpu = {.x = {(uint64_t)(uintptr_t)mem, 2, 0, 0}};
    cr_expect_eq(run(&cpu, "insn 0x1000\n%1 = get.i64 x0\n%2 = get.i64 x1\n"
                           "%3 = load.i32 %1, - x=s8 imm=1\n"
                           "%4 = load.i64 %1, %2 x=u16 y=3 imm=-8\n"
                           "%5 = load.v128 %1, - x=u128 imm=3\n"
                           "%6 = load.f32 %1, - x=u32 imm=4\n"
                           "store.v128 %1, %2, %5 x=u128 y=4\n"
                           "store.i64 %1, -, %4 x=u8 imm=63\n"
                           "set.i32 x1, %3\nset.i64 x2, %4\nset.v128 v0, %5\nset.f32 v1, %6\nexit_pc 0x1004\n"),
                 EXC_NONE);
    cr_expect_eq(cpu.x[1], 0xffffff81);
    cr_expect_eq(cpu.x[2], 0x8988);
    cr_expect_eq(cpu.v[0].b[0], 0x83);
    cr_expect_eq(cpu.v[0].b[15], 0x92);
    cr_expect(cpu.v[1].d[0] == 0x87868584 && cpu.v[1].d[1] == 0);
    cr_expect_eq(mem[32], 0x83);
    cr_expect_eq(mem[47], 0x92);
    cr_expect_eq(mem[63], 0x88);
    cr_expect_eq(cpu.head.in_helper, 0);
}

static const struct {
    const char *text;
    uint64_t old, v, result, now;
} atomic_rows[] = {
    {"rmw.i32 %1, %3 x=u8 y=add", 0x1ff, 2, 0xff, 0x101},
    {"rmw.i64 %1, %2 x=u64 y=clr", 0xff, 0x0f, 0xff, 0xf0},
    {"rmw.i32 %1, %3 x=u16 y=smax", 0x8000, 1, 0x8000, 1},
    {"rmw.i32 %1, %3 x=u16 y=umax", 0x8000, 1, 0x8000, 0x8000},
    {"rmw.i32 %1, %3 x=u32 y=swp", 5, 6, 5, 6},
    {"cas.i32 %1, %3, %4 x=u16", 0x10007, 7, 7, 0x10009},
    {"cas.i64 %1, %2, %5 x=u64", 8, 7, 8, 8},
};

Test(ir, atomics)
{
    for (unsigned n = 0; n < LEN(atomic_rows); n++) {
        uint64_t mem[2] __attribute__((aligned(16))) = {atomic_rows[n].old, 0};
        TestCpu cpu = {.x = {(uint64_t)(uintptr_t)mem, atomic_rows[n].v, 0, 0}};
        char text[400];
        snprintf(text, sizeof text,
                 "%%1 = get.i64 x0\n%%2 = get.i64 x1\n%%3 = get.i32 x1\n%%4 = const.i32 9\n%%5 = const.i64 9\n"
                 "%%9 = %s\nset.%.3s x2, %%9\nexit_pc 0\n",
                 atomic_rows[n].text, strchr(atomic_rows[n].text, '.') + 1);
        run(&cpu, text);
        cr_expect(cpu.x[2] == atomic_rows[n].result && mem[0] == atomic_rows[n].now, "%s: %llx %llx", atomic_rows[n].text,
                  (unsigned long long)cpu.x[2], (unsigned long long)mem[0]);
    }
}

Test(ir, atomics_of_16_bytes)
{
    V128 mem[1] = {{.d = {1, 2}}};
    TestCpu cpu = {.x = {(uint64_t)(uintptr_t)mem, 0, 0, 0}, .v = {{.d = {1, 2}}, {.d = {3, 4}}}};
    run(&cpu, "%1 = get.i64 x0\n%2 = get.v128 v0\n%3 = get.v128 v1\n%4 = cas128 %1, %2, %3\n%5 = cas128 %1, %2, %2\n"
              "%6 = load128_atomic %1\nset.v128 v2, %4\nset.v128 v3, %6\nexit_pc 0\n");
    cr_expect(cpu.v[2].d[0] == 1 && cpu.v[3].d[0] == 3 && cpu.v[3].d[1] == 4 && mem[0].d[1] == 4);
}

static const struct {
    const char *text;
    ExcKind kind;
    uint64_t pc;
    int32_t imm;
    uint64_t pending;
} exit_rows[] = {
    {"exit_if %1, 0x40\nexit_pc 0x80", EXC_NONE, 0x40, 0, 1},
    {"exit_if %2, 0x40\nexit_pc 0x80", EXC_NONE, 0x80, 0, 1},
    {"exit_pc 0x80 x=2", EXC_PENDING, 0x80, 0, 1},
    {"exit_pc 0x80 x=2", EXC_NONE, 0x80, 0, 0},
    {"exit_ind %1", EXC_NONE, 7, 0, 0},
    {"exit_ind %1", EXC_PENDING, 7, 0, 1},
    {"exit_ret %1", EXC_NONE, 7, 0, 1},
    {"exit_call_ind %1 imm=4", EXC_NONE, 7, 0, 0},
    {"exit_call 0x90 imm=4", EXC_NONE, 0x90, 0, 0},
    {"exit_exc 0x1004 x=svc imm=3", EXC_SVC, 0x1004, 3, 1},
    {"exit_exc_if %1 x=undef imm=9\nexit_pc 0x80", EXC_UNDEF, 0x1000, 9, 0},
    {"exit_exc_if %2 x=undef imm=9\nexit_pc 0x80", EXC_NONE, 0x80, 0, 0},
    {"check_align %1 x=1\nexit_pc 0x80", EXC_ALIGN, 0x1000, 0, 0},
    {"check_align %1 x=3 y=1\nexit_pc 0x80", EXC_NONE, 0x80, 0, 0},
    {"check_align %1 x=4 y=1\nexit_pc 0x80", EXC_ALIGN, 0x1000, 0, 0},
};

Test(ir, exits)
{
    for (unsigned n = 0; n < LEN(exit_rows); n++) {
        TestCpu cpu = {.x = {7, 0, 0, 0}};
        char text[200];
        cpu.head.pending = exit_rows[n].pending;
        snprintf(text, sizeof text, "insn 0x1000\n%%1 = get.i64 x0\n%%2 = get.i64 x1\n%s\n", exit_rows[n].text);
        ExcKind kind = run(&cpu, text);
        cr_expect(kind == exit_rows[n].kind && cpu.pc == exit_rows[n].pc, "%s: kind %d pc %llx", exit_rows[n].text, (int)kind,
                  (unsigned long long)cpu.pc);
        cr_expect(kind == EXC_NONE || kind == EXC_PENDING || cpu.head.exit_imm == exit_rows[n].imm);
        cr_expect(kind != EXC_ALIGN || cpu.head.exit_addr == 7);
    }
}

Test(ir, blocks)
{
    TestCpu cpu = {.x = {10, 0, 0, 0}};
    run(&cpu, "block 0\njump @1\n"
              "block 1\n%1 = get.i64 x0\n%2 = get.i64 x1\n%3 = const.i64 1\n%4 = add.i64 %1, %2\n%5 = sub.i64 %1, %3\n"
              "set.i64 x1, %4\nset.i64 x0, %5\nbranch %5, @1, @2\n"
              "block 2\nexit_pc 0x10\n");
    cr_expect_eq(cpu.x[1], 55);
}

Test(ir, fp_exceptions_reach_fpsr)
{
    TestCpu cpu = {.v = {{.s = {0x3f800000, 0x3f800000, 0, 0x7f800001}}, {.s = {0, 0x40400000, 0, 0}}}};
    run(&cpu, "%1 = get.v128 v0\n%2 = get.v128 v1\n%3 = vf_div.s %1, %2\nset.v128 v2, %3\nexit_pc 0\n");
    cr_expect_eq(cpu.head.fp.fpsr, FPSR_DZC | FPSR_IOC | FPSR_IXC);
    cr_expect(cpu.v[2].s[0] == 0x7f800000 && cpu.v[2].s[1] == 0x3eaaaaab && cpu.v[2].s[2] == 0x7fc00000 &&
              cpu.v[2].s[3] == 0x7fc00001);
}

/* -- text form -------------------------------------------------------------------------------------------- */

static void print_to(const IrRegion *r, char *buf, size_t size)
{
    FILE *f = fmemopen(buf, size, "w");
    ir_print(r, slots, helpers, f);
    fclose(f);
}

Test(ir, text_round_trip)
{
    static const char text[] = "region pc=0x4000 key=0x2 bytes=8 insns=2\n"
                               "block 0\n"
                               "insn 0x4000\n"
                               "  %2 = get.i64 x1\n"
                               "  %3 = const.i64 0x10\n"
                               "  %4 = add.i64 %2, %3\n"
                               "  %5 = fl_sub.i64 %2, %3\n"
                               "  %6 = load.i32 %4, - x=s16 y=2 imm=-8\n"
                               "  %7 = v_const 0x1, 0xffffffffffffffff\n"
                               "  %9 = v_add.s %7, %7\n"
                               "  %10 = get.f64 v1\n"
                               "  %11 = f_fma.f64 %10, %10, %10\n"
                               "  %12 = test_flags %5 x=eq\n"
                               "  call note %6\n"
                               "  set.i32 x0, %6\n"
                               "  set.flags nzcv, %5\n"
                               "  exit_if %12, 0x5000\n"
                               "  branch %12, @0, @1\n"
                               "block 1\n"
                               "  exit_exc 0x4008 x=svc imm=1\n";
    static char buf[4000];
    IrRegion r;
    load(&r, text);
    print_to(&r, buf, sizeof buf);
    cr_expect_str_eq(buf, text);
}

/* One op of every kind, with operands that its signature accepts, goes through the text unchanged. */
static IrType operand_type(const IrIns *i, char letter)
{
    switch (letter) {
    case 'T':
        return (IrType)i->ty;
    case 'W':
        return I32;
    case 'V':
        return TV128;
    case 'N':
        return TFLAGS;
    case 'F':
        return F64;
    default:
        return I64;
    }
}

Test(ir, text_of_every_op)
{
    static IrIns first[LEN(ins)];
    static char buf[60000];
    IrRef made[TY_COUNT] = {0};
    IrRegion r = {.ins = first, .cap = LEN(first), .n = 1, .nblocks = 1, .blocks = {{1, 0}}};
    first[0] = (IrIns){.op = OP_nop};
    for (IrType ty = I32; ty < TY_COUNT; ty++) {
        made[ty] = r.n;
        unsigned slot = ty == TFLAGS ? 5 : ty == I32 || ty == I64 ? 0 : 6;
        first[r.n++] = (IrIns){.op = OP_get, .ty = (uint8_t)ty, .x = (uint8_t)slot};
    }
    for (unsigned op = OP_get + 1; op < OP_COUNT; op++) {
        const char *sig = ir_ops[op].sig;
        IrIns i = {.op = (uint8_t)op, .x = 2, .y = 1, .imm = 3};
        if (op == OP_v_const_hi || op == OP_nop) {
            continue;
        }
        i.ty = sig[0] == 'T' || sig[0] == 'I' ? (op == OP_f_to_bits ? I64 : F64) : sig[0] == '.' ? TY_NONE : I64;
        IrRef *refs[3] = {&i.a, &i.b, &i.c};
        for (unsigned k = 0; k < 3; k++) {
            *refs[k] = sig[2 + k] == '.' ? 0 : made[operand_type(&i, sig[2 + k])];
        }
        if (op == OP_call) {
            i = (IrIns){.op = OP_call, .ty = I64, .a = made[I64], .b = made[I32], .c = made[TV128]};
        } else if (op == OP_set) {
            i = (IrIns){.op = OP_set, .ty = I64, .x = 1, .a = made[I64]};
        } else if (op == OP_v_const || op == OP_exit_pc || op == OP_exit_exc) {
            i.b = 0x89abcdef;
            i.c = 0x1234567;
        } else if (op == OP_jump) {
            i = (IrIns){.op = OP_jump, .imm = 0};
        }
        first[r.n++] = i;
        if (op == OP_v_const) {
            first[r.n++] = (IrIns){.op = OP_v_const_hi, .b = 7};
        }
    }
    r.blocks[0].end = r.n;
    print_to(&r, buf, sizeof buf);
    IrRegion back = {.ins = ins, .cap = LEN(ins)};
    char msg[200];
    cr_assert_eq(ir_parse(buf, &back, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg), 0, "%s in\n%s", msg, buf);
    cr_assert_eq(back.n, r.n);
    for (unsigned n = 0; n < r.n; n++) {
        cr_expect_eq(memcmp(&first[n], &ins[n], sizeof ins[n]), 0, "%s", ir_ops[first[n].op].name);
    }
}

static const struct {
    const char *text, *message;
} parse_errors[] = {
    {"exit_pc", "line 1"},
    {"%1 = get.i64 x9", "slot 'x9'"},
    {"\n\n%1 = frob.i64 %0", "line 3: there is no operation 'frob'"},
    {"%1 = add.i64 %2, %3", "more operands"},
    {"%1 = get.q64 x0", "neither type nor element"},
    {"%1 = get.i64 x0 z=3", "more than an operation"},
    {"block 1", "numbered from 0"},
    {"call frob %1", "helper 'frob'"},
};

Test(ir, parse_errors)
{
    for (unsigned n = 0; n < LEN(parse_errors); n++) {
        IrRegion r = {.ins = ins, .cap = LEN(ins)};
        char msg[200] = "";
        int rc = ir_parse(parse_errors[n].text, &r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg);
        cr_expect(rc != 0 && strstr(msg, parse_errors[n].message), "%s: %s", parse_errors[n].text, msg);
    }
}

/* -- verifier ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *text, *message;
} bad_regions[] = {
    {"%1 = get.i64 x0\n", "ends a block"},
    {"exit_pc 0\nexit_pc 4\n", "inside a block"},
    {"%1 = get.i64 x0\n%2 = get.i32 x0\n%3 = add.i64 %1, %2\nexit_pc 0\n", "%3 add: operand 1, %2, is i32"},
    {"%1 = get.f64 v0\n%3 = add.f64 %1, %1\nexit_pc 0\n", "no operation on f64"},
    {"%1 = get.v128 x0\nexit_pc 0\n", "v128 in slot x0"},
    {"%1 = get.i64 x0\n%2 = ubfx.i64 %1 x=60 y=8\nexit_pc 0\n", "bits 60, 8"},
    {"%1 = get.i64 x0\n%2 = load.i32 %1, - x=u64\nexit_pc 0\n", "memory type"},
    {"insn 0\n%1 = get.i64 x0\nset.i64 x1, %1\n%2 = load.i64 %1, - x=u64\nexit_pc 4\n", "can fault after a set"},
    {"block 0\njump @1\nblock 1\n%1 = get.i64 x0\njump @2\nblock 2\nset.i64 x0, %1\nexit_pc 0\n", "not made before"},
    {"block 0\njump @3\n", "block 3"},
    {"%1 = get.i64 x0\ncall note %1\nexit_pc 0\n", "is not i32"},
};

Test(ir, verify_finds)
{
    for (unsigned n = 0; n < LEN(bad_regions); n++) {
        IrRegion r = {.ins = ins, .cap = LEN(ins)};
        char msg[200] = "";
        cr_assert_eq(ir_parse(bad_regions[n].text, &r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg), 0, "%s", msg);
        const char *bad = ir_verify(&r, slots, LEN(slots), helpers, LEN(helpers), msg, sizeof msg);
        cr_expect(bad && strstr(bad, bad_regions[n].message), "%s: %s", bad_regions[n].text, bad ? bad : "passes");
    }
}

/* Every block of a region may use what block 0 made. */
Test(ir, verify_allows_values_of_block_0)
{
    TestCpu cpu = {.x = {5, 0, 0, 0}};
    run(&cpu, "block 0\n%1 = get.i64 x0\njump @1\nblock 1\nset.i64 x2, %1\nexit_pc 0\n");
    cr_expect_eq(cpu.x[2], 5);
}
