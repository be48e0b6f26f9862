/* t_x86_enc.c - every row of enc.def, in every form and with low and high registers, disassembled by capstone.
 *
 * A row's emitters are called with some registers and memory operands; the bytes must be one instruction with the
 * row's mnemonic and these operands. Rows that capstone does not know (some AVX-512) are counted, not judged: the
 * vector tests run them. Expected text: operands in Intel's order, sizes of memory operands left out.
 */
#include <capstone/capstone.h>
#include <criterion/criterion.h>
#include <stdio.h>

#include "backend/x86_64/enc.h"

static uint8_t code[64];
static Asm a;
static csh cs;
static unsigned checked, unknown, failures;

static const char *const r64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const r32[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
                                  "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};

/* The number of a register operand, whatever its size or file; -1 for something else. */
static int reg_number(const char *s)
{
    static const char *const r16[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static const char *const r8[] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    int n;
    for (int k = 0; k < 16; k++) {
        if (!strcmp(s, r64[k]) || !strcmp(s, r32[k]) || (k < 8 && (!strcmp(s, r16[k]) || !strcmp(s, r8[k])))) {
            return k;
        }
    }
    return sscanf(s, "xmm%d", &n) == 1 || sscanf(s, "k%d", &n) == 1 || sscanf(s, "r%d", &n) == 1 ? n : -1;
}

/* Does the mnemonic belong to the row? Names carry suffixes: direction (_to, _ld), widths, and _k, _r. */
static bool is_mnemonic(const char *got, const char *row)
{
    char base[32];
    snprintf(base, sizeof base, "%s", row);
    if (strchr(base, '_')) {
        *strchr(base, '_') = 0;
    }
    static const char *const widths[] = {"32", "64", "16", "8", "1", "b"};
    size_t n = strlen(base);
    if (!strncmp(got, base, n) || !strcmp(base, "store") || !strncmp(base, "store", 5)) {
        return strncmp(base, "store", 5) || !strcmp(got, "mov");
    }
    for (unsigned k = 0; k < sizeof widths / sizeof *widths; k++) {
        size_t w = strlen(widths[k]);
        if (n > w && !strcmp(base + n - w, widths[k]) && !strncmp(got, base, n - w)) {
            return true;
        }
    }
    if (!strncmp(base, "vcmp", 4)) { /* the predicate is in the middle of the name */
        return !strncmp(got, "vcmp", 4) && !strcmp(got + strlen(got) - 2, base + 4);
    }
    if (!strncmp(base, "vpcmp", 5)) {
        return !strncmp(got, "vpcmp", 5);
    }
    return (!strncmp(base, "movzx", 5) && !strcmp(got, "movzx")) || (!strncmp(base, "movsx", 5) && !strncmp(got, "movsx", 5)) ||
           (!strcmp(base, "vpclmulqdq") && !strncmp(got, "vpclmul", 7)) || (!strcmp(base, "cmpxchgb") && !strcmp(got, "cmpxchg16b"));
}

/* want: operands separated by commas; registers as numbers, "m" for the memory operand [rbx + r9*4 + 0x1234]
 * or [r13 + 0x10], "*" = any. */
static void check(const char *row, const char *want)
{
    cs_insn *in;
    size_t size = (size_t)(a.p - code);
    a.p = code;
    if (cs_disasm(cs, code, size, 0x1000, 1, &in) != 1) {
        unknown++;
        return;
    }
    checked++;
    char text[160];
    snprintf(text, sizeof text, "%s", in->op_str);
    bool good = in->size == size && is_mnemonic(in->mnemonic, row);
    char *save, *op = strtok_r(text, ",", &save);
    for (const char *w = want; good && *w; w += strcspn(w, ","), w += *w == ',') {
        if (!op) {
            good = *w == '*';
            break;
        }
        while (*op == ' ') {
            op++;
        }
        char *end = op + strlen(op);
        while (end > op && end[-1] == ' ') {
            *--end = 0;
        }
        if (*w == 'm') {
            const char *b = strchr(op, '[');
            /* capstone 4 takes EVEX.V' for a part of the index */
            good = b && (!strcmp(b, "[rbx + r9*4 + 0x1234]") || !strcmp(b, "[rbx + xmm9*4 + 0x1234]") || !strcmp(b, "[r13 + 0x10]"));
        } else if (*w != '*') {
            good = *op == 'k' ? atoi(op + 1) == (atoi(w) & 7) : reg_number(op) == atoi(w);
        }
        op = strtok_r(NULL, ",", &save);
    }
    if (!good && failures++ < 40) {
        fprintf(stderr, "%s: want %s, got %s %s (%u of %zu bytes)\n", row, want, in->mnemonic, in->op_str, in->size, size);
    }
    cs_free(in, 1);
}

static const Mem mems[] = {{RBX, R9, 2, 0x1234, 0}, {R13, NOREG, 0, 0x10, 0}};
static const struct {
    Reg d, s, t;
} regs[] = {{RAX, RBX, RSI}, {RSI, R9, RDI}, {R12, RDI, R15}, {R8, R13, RCX}};
static const struct {
    int d, s, t;
} xmms[] = {{1, 2, 3}, {9, 4, 12}, {5, 14, 7}, {17, 2, 3}, {4, 25, 6}, {3, 7, 30}, {31, 18, 22}};
#define EACH(list) for (unsigned k = 0; k < sizeof list / sizeof *list; k++)

static const char *ops(const char *fmt, int x, int y, int z)
{
    static char buf[64];
    snprintf(buf, sizeof buf, fmt, x, y, z);
    return buf;
}

static bool high(unsigned vopc, int x, int y, int z)
{
    return (vopc & VEX_N) && ((x | y | z) & 16);
}

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

/* The register operand is the destination, or the source when the row stores. */
static bool stores(const char *n)
{
    static const char *const to[] = {"store", "test", "xchg", "xadd", "cmpxchg", "bt"};
    if (has(n, "_to") || has(n, "_st")) {
        return true;
    }
    for (unsigned k = 0; k < sizeof to / sizeof *to; k++) {
        if (!strncmp(n, to[k], strlen(to[k]))) {
            return true;
        }
    }
    return false;
}

static void general(void)
{
#define RM(n, pp, map, o)                                                                          \
    EACH(regs) {                                                                                   \
        for (int w = 0; w < 2 && !(w && (has(#n, "16") || has(#n, "sha"))); w++) {           \
            if (w == 0 && !strcmp(#n, "movsxd")) {                                                 \
                continue;                                                                          \
            }                                                                                      \
            x_##n##_rr(&a, w, regs[k].d, regs[k].s);                                               \
            check(#n, stores(#n) ? ops("%d,%d", regs[k].s, regs[k].d, 0) : ops("%d,%d", regs[k].d, regs[k].s, 0)); \
            x_##n##_rm(&a, w, regs[k].d, mems[k & 1]);                                             \
            check(#n, stores(#n) ? ops("m,%d", regs[k].d, 0, 0) : ops("%d,m", regs[k].d, 0, 0));   \
        }                                                                                          \
    }
#define EXT(n, pp, map, o, digit)                                                                  \
    EACH(regs) {                                                                                   \
        if (strcmp(#n, "ldmxcsr") && strcmp(#n, "stmxcsr") && strcmp(#n, "cmpxchgb")) {            \
            x_##n##_r(&a, 0, regs[k].d);                                                           \
            check(#n, ops("%d", regs[k].d, 0, 0));                                                 \
        }                                                                                          \
        x_##n##_m(&a, !strcmp(#n, "cmpxchgb"), mems[k & 1]);                                       \
        check(#n, "m");                                                                            \
    }
#define RMI(n, pp, map, o)                                                                         \
    EACH(regs) {                                                                                   \
        x_##n##_rri(&a, 0, regs[k].d, regs[k].s, 3);                                               \
        check(#n, !strncmp(#n, "sha", 3) ? ops("%d,%d,*", regs[k].s, regs[k].d, 0) : ops("%d,%d,*", regs[k].d, regs[k].s, 0)); \
    }
#define EXTI(n, pp, map, o, digit)                                                                 \
    EACH(regs) {                                                                                   \
        x_##n##_ri(&a, strcmp(#n, "rol16") != 0, regs[k].d, 5);                                    \
        check(#n, ops("%d,*", regs[k].d, 0, 0));                                                   \
        x_##n##_mi(&a, 0, mems[k & 1], 5);                                                         \
        check(#n, "m,*");                                                                          \
    }
#define GV(n, pp, map, o)                                                                          \
    EACH(regs) {                                                                                   \
        bool last = !strcmp(#n, "shlx") || !strcmp(#n, "sarx") || !strcmp(#n, "shrx");             \
        x_##n##_rrr(&a, 1, regs[k].d, regs[k].s, regs[k].t);                                       \
        check(#n, last ? ops("%d,%d,%d", regs[k].d, regs[k].t, regs[k].s) : ops("%d,%d,%d", regs[k].d, regs[k].s, regs[k].t)); \
    }
#define GVI(n, pp, map, o)                                                                         \
    EACH(regs) {                                                                                   \
        x_##n##_rri(&a, 1, regs[k].d, regs[k].s, 9);                                               \
        check(#n, ops("%d,%d,*", regs[k].d, regs[k].s, 0));                                        \
    }
#include "backend/x86_64/enc.def"
}

#define XM(n) ((Reg)(XMM0 + xmms[k].n))
/* Rows one of whose operands is a general register take their numbers modulo 16. */
static void vectors_without_immediate(void)
{
#define V(n, pp, map, o, W, EW, kind)                                                              \
    EACH(xmms) {                                                                                   \
        int t = has(#n, "si2s") ? xmms[k].t & 15 : xmms[k].t;                                   \
        if (!high(X_##n, xmms[k].d, xmms[k].s, t)) {                                               \
            x_##n##_rrr(&a, XM(d), XM(s), (Reg)(XMM0 + t));                                        \
            check(#n, ops("%d,%d,%d", xmms[k].d, xmms[k].s, t));                                   \
        }                                                                                          \
        if (!high(X_##n, xmms[k].d, xmms[k].s, 0) && !has(#n, "_rr")) {                         \
            x_##n##_rrm(&a, XM(d), XM(s), mems[k & 1]);                                            \
            check(#n, ops("%d,%d,m", xmms[k].d, xmms[k].s, 0));                                    \
        }                                                                                          \
    }
#define V2(n, pp, map, o, W, EW, kind)                                                             \
    EACH(xmms) {                                                                                   \
        bool gpr_s = !strcmp(#n, "vmovd") || !strcmp(#n, "vmovd_to") || has(#n, "_r") || has(#n, "vpmovm2");   \
        bool gpr_d = has(#n, "2si") || has(#n, "2usi");                                      \
        int d = gpr_d ? xmms[k].d & 15 : xmms[k].d, s = gpr_s ? xmms[k].s & 7 : xmms[k].s;         \
        bool scalar_move = has(#n, "_ld") || has(#n, "_st");                                 \
        if (!high(X_##n, d, s, 0) && !scalar_move) {                                               \
            x_##n##_rr(&a, (Reg)(XMM0 + d), (Reg)(XMM0 + s));                                      \
            /* capstone 4 swaps the operands of vpmovm2 */                                         \
            check(#n, has(#n, "vpmovm2") ? "*,*" : stores(#n) ? ops("%d,%d", s, d, 0) : ops("%d,%d", d, s, 0)); \
        }                                                                                          \
        if (!high(X_##n, d, 0, 0) && !gpr_s) {                                                     \
            x_##n##_rm(&a, (Reg)(XMM0 + d), mems[k & 1]);                                          \
            check(#n, stores(#n) ? ops("m,%d", d, 0, 0) : ops("%d,m", d, 0, 0));                   \
        }                                                                                          \
    }
#include "backend/x86_64/enc.def"
}

static void vectors_with_immediate(void)
{
#define VI(n, pp, map, o, W, EW, kind)                                                             \
    EACH(xmms) {                                                                                   \
        bool mask = has(#n, "_k"), gpr = !strncmp(#n, "vpinsr", 6);                             \
        int d = mask ? xmms[k].d & 7 : xmms[k].d, t = gpr ? xmms[k].t & 15 : xmms[k].t;            \
        if (!high(X_##n, d, xmms[k].s, t)) {                                                       \
            x_##n##_rrri(&a, (Reg)(XMM0 + d), XM(s), (Reg)(XMM0 + t), 0);                          \
            check(#n, ops("%d,%d,%d", d, xmms[k].s, t));                                           \
        }                                                                                          \
        if (!high(X_##n, d, xmms[k].s, 0)) {                                                       \
            x_##n##_rrmi(&a, (Reg)(XMM0 + d), XM(s), mems[k & 1], 0);                              \
            check(#n, ops("%d,%d,m", d, xmms[k].s, 0));                                            \
        }                                                                                          \
    }
#define V2I(n, pp, map, o, W, EW, kind)                                                            \
    EACH(xmms) {                                                                                   \
        bool to = !strncmp(#n, "vpextr", 6) || !strcmp(#n, "vcvtps2ph");                           \
        int s = !strncmp(#n, "vpextr", 6) ? xmms[k].s & 15 : xmms[k].s, d = xmms[k].d;             \
        if (!high(X_##n, d, s, 0)) {                                                               \
            x_##n##_rri(&a, (Reg)(XMM0 + d), (Reg)(XMM0 + s), 1);                                  \
            check(#n, to ? ops("%d,%d,*", s, d, 0) : ops("%d,%d,*", d, s, 0));                     \
        }                                                                                          \
        if (!high(X_##n, d, 0, 0)) {                                                               \
            x_##n##_rmi(&a, (Reg)(XMM0 + d), mems[k & 1], 1);                                      \
            check(#n, to ? ops("m,%d,*", d, 0, 0) : ops("%d,m,*", d, 0, 0));                       \
        }                                                                                          \
    }
#define VS(n, pp, map, o, W, EW, kind, digit)                                                      \
    EACH(xmms) {                                                                                   \
        x_##n##_rri(&a, XM(d), XM(s), 3);                                                          \
        check(#n, ops("%d,%d,*", xmms[k].d, xmms[k].s, 0));                                        \
    }
#include "backend/x86_64/enc.def"
}

Test(x86_enc, rows)
{
    cr_assert_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &cs), CS_ERR_OK);
    a = (Asm){code, code, code + sizeof code, 0, false, NULL, 0};
    general();
    vectors_without_immediate();
    vectors_with_immediate();
    fprintf(stderr, "%u forms right, %u unknown to capstone\n", checked - failures, unknown);
    cr_assert_eq(failures, 0);
    cr_assert_gt(checked, 2000);
}

/* The instruction is printed so, or, by capstone from 5 on, as `later`. */
static void one_of(const char *want, const char *later)
{
    cs_insn *in;
    char text[256];
    size_t size = (size_t)(a.p - code);
    a.p = code;
    cr_assert_eq(cs_disasm(cs, code, size, 0, 1, &in), 1);
    snprintf(text, sizeof text, "%s %s", in->mnemonic, in->op_str);
    if ((strcmp(text, want) && strcmp(text, later)) || in->size != size) {
        fprintf(stderr, "want %s, got %s\n", want, text);
        failures++;
    }
    cs_free(in, 1);
}

static void one(const char *want)
{
    one_of(want, want);
}

/* The forms that are no rows, and the corners of memory operands. */
Test(x86_enc, others)
{
    cr_assert_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &cs), CS_ERR_OK);
    a = (Asm){code, code, code + sizeof code, 0, false, NULL, 0};
    x_mov_rm(&a, 1, RAX, mem(RBP, 0)), one("mov rax, qword ptr [rbp]");
    x_mov_rm(&a, 1, RAX, mem(R13, 0)), one("mov rax, qword ptr [r13]");
    x_mov_rm(&a, 1, RAX, mem(RSP, 8)), one("mov rax, qword ptr [rsp + 8]");
    x_mov_rm(&a, 1, RAX, mem(R12, 0)), one("mov rax, qword ptr [r12]");
    x_mov_rm(&a, 0, R9, mem(RAX, -0x80)), one("mov r9d, dword ptr [rax - 0x80]");
    x_mov_rm(&a, 0, R9, mem(RAX, 0x80)), one("mov r9d, dword ptr [rax + 0x80]");
    x_mov_rm(&a, 0, RCX, (Mem){NOREG, R12, 3, 0x10, 0}), one("mov ecx, dword ptr [r12*8 + 0x10]");
    x_mov_ri(&a, RAX, 5), one("mov eax, 5");
    x_mov_ri(&a, R11, 0xffffffffffffff00), one_of("mov r11, -0x100", "mov r11, 0xffffffffffffff00");
    x_mov_ri(&a, RDX, 0x123456789a), one("movabs rdx, 0x123456789a");
    x_alu_ri(&a, 1, ALU_ADD, RDI, 127), one("add rdi, 0x7f");
    x_alu_ri(&a, 0, ALU_CMP, R8, 1000), one("cmp r8d, 0x3e8");
    x_alu_mi(&a, 1, ALU_CMP, mem(RBP, -8), 0), one("cmp qword ptr [rbp - 8], 0");
    x_mov_mi(&a, 1, mem(RBP, 4), -1), one_of("mov qword ptr [rbp + 4], -1", "mov qword ptr [rbp + 4], 0xffffffffffffffff");
    x_mov_mi8(&a, mem(RAX, 1), 7), one("mov byte ptr [rax + 1], 7");
    x_mov_mi16(&a, mem(RAX, 1), 0x1234), one("mov word ptr [rax + 1], 0x1234");
    x_test_ri(&a, 0, RBX, 0x100), one("test ebx, 0x100");
    x_test8_ri(&a, RSI, 4), one("test sil, 4");
    x_test8_mi(&a, mem(RBP, 9), 64), one("test byte ptr [rbp + 9], 0x40");
    x_imul_rri(&a, 1, RAX, R8, 10), one("imul rax, r8, 0xa");
    x_setcc(&a, CC_O, RAX), one("seto al");
    x_setcc(&a, CC_NE, RDI), one("setne dil");
    x_cmov_rr(&a, 1, CC_L, RAX, R15), one("cmovl rax, r15");
    x_movzx8_rr(&a, RAX, RSI), one("movzx eax, sil");
    x_movsx8_rm(&a, 1, R10, mem(RDX, 0)), one("movsx r10, byte ptr [rdx]");
    x_store8(&a, RDI, mem(RAX, 0)), one("mov byte ptr [rax], dil");
    x_bswap(&a, 1, R9), one("bswap r9");
    x_lea(&a, 1, RAX, (Mem){RBX, RCX, 1, 3, 0}), one("lea rax, [rbx + rcx*2 + 3]");
    cr_assert_eq(failures, 0);
}
