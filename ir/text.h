/* text.h - what printer and parser of the IR's text form share: names and defaults.
 *
 * The form, one op a line, `#` begins a comment:
 *   region pc=0x4000 key=0x0 bytes=8 insns=2          first line, may be left out
 *   block 0                                          each block; may be left out before the first
 *   insn 0x4000
 *   %3 = get.i64 x1                                  slots and helpers (call.i64 NAME args) by name
 *   %4 = const.i64 0x10
 *   %5 = add.i64 %3, %4                              .type unless the row fixes it; - for an absent operand
 *   %6 = v_add.s %1, %2                              .elem where the shape puts an elem in .x
 *   %7 = load.i64 %5, - x=u64 imm=8                  x, y, imm when not zero, by name where text_names() has one
 *   branch %7, @1, @2                                blocks; jump @1
 *   exit_pc 0x4008
 * %N is a label; printed ones are the op's index. nops are not printed.
 */
#ifndef ARMX_IR_TEXT_H
#define ARMX_IR_TEXT_H

#include "ir.h"

/* What an op's line has besides its refs: a 64-bit constant in .b .c, or names of slot, helper, blocks. */
typedef enum TextForm {
    FORM_PLAIN,
    FORM_CONST,
    FORM_SLOT,
    FORM_CALL,
    FORM_JUMP,
    FORM_BRANCH
} TextForm;

extern const char *const text_types[]; /* by IrType, NULL-terminated */
extern const char *const text_elems[]; /* by IrElem, NULL-terminated */

TextForm text_form(unsigned op);
/* Type of an op whose line has no .type. */
IrType text_default_type(unsigned op);
/* Is .x an element that is written as suffix, and is .x the format of .ty (then it is not written)? */
bool text_x_is_elem(unsigned op);
bool text_x_follows_type(unsigned op);
/* Names of the values of .x (field 'x') or .y (field 'y'), NULL-terminated, or NULL for plain numbers. */
const char *const *text_names(unsigned op, char field);

#endif
