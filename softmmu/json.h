/* json.h - just enough JSON for QMP: members of an object are found in its text; strings are written escaped.
 *
 * Nothing is built from a text: a value is a piece of it (JsonPart). The text is checked as far as it is looked at.
 */
#ifndef ARMX_SOFTMMU_JSON_H
#define ARMX_SOFTMMU_JSON_H

#include "base.h"

typedef struct JsonPart {
    const char *at; /* NULL: not there */
    size_t n;
} JsonPart;

/* Is the text one whole JSON value, with nothing but space around it? */
bool json_valid(const char *text, size_t n);
/* The value of a member of the object that `object` is. */
JsonPart json_member(JsonPart object, const char *name);
/* The first member's name, in its quotes, that is not among names (which end with NULL). */
JsonPart json_other(JsonPart object, const char *const *names);
/* Member k of the object: its name, in its quotes, and value; false behind the last. */
bool json_pair(JsonPart object, unsigned k, JsonPart *key, JsonPart *value);
/* Element k of the array. */
JsonPart json_element(JsonPart array, unsigned k);
/* A string's text without quotes and escapes, cut to n - 1 bytes; false when the part is no string. */
bool json_string(JsonPart p, char *to, size_t n);
/* Numbers of 64 bits, with a sign or (addresses) without. */
bool json_number(JsonPart p, int64_t *to);
bool json_is_true(JsonPart p);
/* Writes s as a JSON string with its quotes; the bytes written, at most n with the final zero. */
size_t json_quote(const char *s, char *to, size_t n);

/* Text that grows; {0} is empty. */
typedef struct JsonText {
    char *at;
    size_t n, room;
} JsonText;
void json_add(JsonText *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* s as a JSON string. */
void json_add_string(JsonText *t, const char *s);
/* An element's comma, unless it is the first behind a bracket. */
void json_add_comma(JsonText *t);

#endif
