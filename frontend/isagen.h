/* isagen.h - what the parts of isagen share: the rows as read, the diagram's interface, errors.
 *
 * isagen.c reads the command line, isagen_read.c the tables, isagen_set.c proves the tiling,
 * isagen_write.c writes. isagen.c's head comment explains the words used here.
 */
#ifndef ISAGEN_H
#define ISAGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_FIELDS = 16, MAX_LETS = 8, MAX_SAMPLES = 32, MAX_FEATS = 128, MAX_ERRORS = 40 };
enum { LEVELS = 32, LEVEL_L1 = 11, LEVEL_L2 = 17 }; /* of the diagram; see isagen.c */

typedef uint32_t Node;

typedef enum {
    E_INT,
    E_FIELD,
    E_LET,
    E_NOT,
    E_AND,
    E_OR,
    E_EQ,
    E_NE,
    E_LT,
    E_LE,
    E_GT,
    E_GE,
    E_BITAND,
    E_SHL,
    E_ADD,
    E_SUB,
    E_CONCAT,
    E_SX,
    E_BITMASK_OK
} ExprOp;

typedef struct Expr {
    ExprOp op;
    struct Expr *a, *b, *c;
    int64_t value;  /* E_INT: the number; E_FIELD, E_LET: the index in the row */
    int width;      /* bits when used in a concatenation, 0 = not known */
    int64_t lo, hi; /* range of the value */
} Expr;

typedef struct {
    char *name;
    int pos, width;
    bool is_signed;
} Field;

typedef struct {
    char *name;
    Expr *e;
} Let;

typedef struct {
    int field;
    int64_t value;
} Sample;

typedef struct {
    const char *path;
    int rest_line;  /* of "hole rest", or 0 */
    int first_line; /* of the first space line, or 0 */
    char *name;
    uint64_t words, allocated, holes, swallowed;
    int rows;
} File;

typedef struct {
    char *name, *mnem, *tr, *k;
    int file, line, group; /* group 0 = none */
    bool hole;
    uint32_t mask, value;       /* literal bits */
    uint32_t should, should_to; /* should-be bits and their values */
    Field field[MAX_FIELDS];
    int fields;
    Let let[MAX_LETS];
    int lets;
    Sample sample[MAX_SAMPLES];
    int samples;
    Expr *cond, *unpred;
    uint64_t feat[2];
    Node set; /* the words that are this row's */
    uint64_t words;
    int format;
} Row;

extern File *files;
extern int n_files;
extern Row *rows;
extern int n_rows;
extern char *feats[MAX_FEATS]; /* alphabetical once all files are read */
extern int n_feats;
extern int n_errors;

/* Prints "file:line: what" and counts the error. */
void error_at(int file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void die(const char *what, const char *name);

/* Room for one more member in an array of n; arrays double at each power of two. */
void *grow(void *p, size_t n, size_t size);
void *zalloc(size_t n);
char *text_dup(const char *s, size_t n);

/* Reads a file's lines into rows[]; spaces go straight into the diagram `all`. */
Node read_file(int file, Node all, int *groups);

void diagram_init(void);
Node diagram_outside(void); /* the diagram in which every word is outside */
Node space_add(Node all, int file, int line, uint32_t mask, uint32_t value);
Node overlay_rows(Node all);
void check_cover(Node all, bool whole);
void word_report(Node all, uint32_t word);

/* The diagram seen by the writers.  A node that is not terminal tests one bit. */
bool node_is_terminal(Node n);
int node_bit(Node n);
int node_level(Node n);
Node node_child(Node n, bool bit);
const Row *node_row(Node terminal); /* NULL: UNALLOCATED */
Node diagram_plain(Node all);       /* the same with all holes and gaps as one terminal */
Node set_limit(Node set, uint32_t mask, uint32_t value); /* the words of `set` with these bits */
bool set_empty(Node set);
/* One word of a set; bits that the set leaves open, or where both values are possible, come from
 * `open`. */
uint32_t set_word(Node set, uint32_t open);

void write_outputs(Node all, const char *dir, const char *coverage);

#endif
