/* interp.c - a byte-code interpreter: indirect jumps by a switch. */
#include "k.h"

enum { PUSH, ADD, MUL, DUP, SWAP, XOR, JNZ, DEC, LOAD, STORE, SHR, N_OPS };

static uint64_t run(const uint8_t *code, uint64_t rounds)
{
    uint64_t stack[16] = {0}, var[4] = {1, 2, 3, rounds};
    unsigned sp = 0;
    for (const uint8_t *pc = code;;) {
        switch (*pc++) {
        case PUSH: stack[sp++] = *pc++; break;
        case ADD: sp--; stack[sp - 1] += stack[sp]; break;
        case MUL: sp--; stack[sp - 1] *= stack[sp]; break;
        case XOR: sp--; stack[sp - 1] ^= stack[sp]; break;
        case DUP: stack[sp] = stack[sp - 1]; sp++; break;
        case SWAP: { uint64_t t = stack[sp - 1]; stack[sp - 1] = stack[sp - 2]; stack[sp - 2] = t; break; }
        case SHR: stack[sp - 1] >>= 3; break;
        case LOAD: stack[sp++] = var[*pc++]; break;
        case STORE: var[*pc++] = stack[--sp]; break;
        case DEC: var[*pc++]--; break;
        case JNZ: if (var[*pc]) { pc = code; } else { return var[0] ^ var[1]; } break;
        }
    }
}

static uint64_t kernel(long n)
{
    static const uint8_t code[] = {LOAD, 0, LOAD, 1, DUP, PUSH, 7, MUL, ADD, XOR, STORE, 0, LOAD, 1,
                                   LOAD, 0, SWAP, SHR, ADD, STORE, 1, DEC, 3, JNZ, 3};
    return run(code, (uint64_t)n * 2000000);
}
