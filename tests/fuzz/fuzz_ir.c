/* fuzz_ir.c - text -> ir_parse -> ir_verify -> ir_print -> ir_parse: what the verifier accepts is printed in a form
 * that reads back as the same region, and no text breaks parser or verifier.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"
#include "fuzz.h"

enum { CAP = 2048, TEXT_MAX = 1 << 20 };

typedef struct Program {
    IrRegion r;
    IrIns ins[CAP];
} Program;

static int parse(const char *text, Program *p, char *msg, size_t size)
{
    const Frontend *fe = &a64_frontend;
    memset(&p->r, 0, sizeof p->r);
    p->r.ins = p->ins;
    p->r.cap = CAP;
    return ir_parse(text, &p->r, fe->slots, fe->nslots, fe->helpers, fe->nhelpers, msg, size);
}

static const char *verify(const Program *p, char *msg, size_t size)
{
    const Frontend *fe = &a64_frontend;
    return ir_verify(&p->r, fe->slots, fe->nslots, fe->helpers, fe->nhelpers, msg, size);
}

static void print(const Program *p, char *text)
{
    FILE *f = fmemopen(text, TEXT_MAX, "w");
    ir_print(&p->r, a64_frontend.slots, a64_frontend.helpers, f);
    fclose(f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Program a, b;
    static char first[TEXT_MAX], second[TEXT_MAX];
    char msg[200];
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    int bad = parse(text, &a, msg, sizeof msg);
    free(text);
    if (bad || verify(&a, msg, sizeof msg)) {
        return 0;
    }
    print(&a, first);
    if (parse(first, &b, msg, sizeof msg)) {
        BUG("%s in the printed form\n%s", msg, first);
    }
    if (verify(&b, msg, sizeof msg)) {
        BUG("read back: %s\n%s", msg, first);
    }
    print(&b, second);
    /* Labels are renumbered when the input had nops; the second printing settles them. */
    if (parse(second, &a, msg, sizeof msg)) {
        BUG("%s in the second printed form\n%s", msg, second);
    }
    print(&a, first);
    if (strcmp(first, second)) {
        BUG("printed forms differ:\n%s\n%s", second, first);
    }
    return 0;
}
