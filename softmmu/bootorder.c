/* bootorder.c - see bootorder.h: a sorted list. */
#define _GNU_SOURCE
#include "bootorder.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Place {
    struct Place *next;
    int32_t index;
    char *text;
} Place;

static Place *places;

bool bootorder_add(int32_t index, const char *place, const char *unit)
{
    Place **at = &places;
    if (index < 0) {
        return true;
    }
    while (*at && (*at)->index < index) {
        at = &(*at)->next;
    }
    if (*at && (*at)->index == index) {
        return false;
    }
    Place *p = calloc(1, sizeof *p);
    ASSERT(p && asprintf(&p->text, "%s%s", place, unit) > 0);
    p->index = index;
    p->next = *at;
    *at = p;
    return true;
}

char *bootorder_text(bool strict, size_t *n)
{
    char *text = NULL;
    FILE *f = places || strict ? open_memstream(&text, n) : NULL;
    if (!f) {
        return NULL;
    }
    for (Place *p = places; p; p = p->next) {
        fprintf(f, "%s%s", p->text, p->next || strict ? "\n" : "");
    }
    fprintf(f, "%s%c", strict ? "HALT" : "", 0);
    fclose(f);
    return text;
}
