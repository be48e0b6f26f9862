/* json.c - see json.h. */
#include "json.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 64 };

static const char *space(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')) {
        s++;
    }
    return s;
}

static const char *skip_string(const char *s, const char *end)
{
    for (s++; s < end; s++) {
        if (*s == '\\') {
            s++;
        } else if (*s == '"') {
            return s + 1;
        }
    }
    return NULL;
}

/* Behind the value at s; NULL: it is none. */
static const char *skip_value(const char *s, const char *end, unsigned depth)
{
    if (s >= end || depth == DEPTH) {
        return NULL;
    }
    if (*s == '"') {
        return skip_string(s, end);
    }
    if (*s == '{' || *s == '[') {
        bool object = *s == '{';
        char close = object ? '}' : ']';
        s = space(s + 1, end);
        if (s < end && *s == close) {
            return s + 1;
        }
        while (s < end) {
            if (object) {
                s = *s == '"' ? skip_string(s, end) : NULL;
                s = s ? space(s, end) : NULL;
                if (!s || s == end || *s != ':') {
                    return NULL;
                }
                s = space(s + 1, end);
            }
            s = skip_value(s, end, depth + 1);
            s = s ? space(s, end) : NULL;
            if (!s || s == end) {
                return NULL;
            }
            if (*s == close) {
                return s + 1;
            }
            if (*s != ',') {
                return NULL;
            }
            s = space(s + 1, end);
        }
        return NULL;
    }
    const char *begin = s;
    while (s < end && (isalnum((unsigned char)*s) || *s == '-' || *s == '+' || *s == '.')) {
        s++;
    }
    return s > begin ? s : NULL;
}

bool json_valid(const char *text, size_t n)
{
    const char *end = text + n, *s = skip_value(space(text, end), end, 0);
    return s && space(s, end) == end;
}

/* The member of an object at s; behind it, NULL: there is none. */
static const char *member(const char *s, const char *end, JsonPart *key, JsonPart *value)
{
    if (s >= end || *s != '"') {
        return NULL;
    }
    const char *after = skip_string(s, end);
    *key = (JsonPart){s, after ? (size_t)(after - s) : 0};
    s = after ? space(after, end) : NULL;
    s = s && s < end && *s == ':' ? space(s + 1, end) : NULL;
    after = s ? skip_value(s, end, 0) : NULL;
    *value = (JsonPart){s, after ? (size_t)(after - s) : 0};
    return after;
}

/* To the member behind the one that ended at s. */
static const char *next(const char *s, const char *end)
{
    s = space(s, end);
    return s < end ? space(s + 1, end) : end;
}

static bool is_name(JsonPart key, const char *name)
{
    return key.n == strlen(name) + 2 && !memcmp(key.at + 1, name, key.n - 2);
}

JsonPart json_member(JsonPart object, const char *name)
{
    const char *end = object.at + object.n, *s = object.at;
    JsonPart key, value;
    if (!s || *s != '{') {
        return (JsonPart){0};
    }
    for (s = space(s + 1, end); (s = member(s, end, &key, &value)); s = next(s, end)) {
        if (is_name(key, name)) {
            return value;
        }
    }
    return (JsonPart){0};
}

JsonPart json_other(JsonPart object, const char *const *names)
{
    const char *end = object.at + object.n, *s = object.at;
    JsonPart key, value;
    for (s = space(s + 1, end); (s = member(s, end, &key, &value)); s = next(s, end)) {
        const char *const *n = names;
        while (*n && !is_name(key, *n)) {
            n++;
        }
        if (!*n) {
            return key;
        }
    }
    return (JsonPart){0};
}

bool json_pair(JsonPart object, unsigned k, JsonPart *key, JsonPart *value)
{
    const char *end = object.at + object.n, *s = object.at;
    if (!s || *s != '{') {
        return false;
    }
    for (s = space(s + 1, end); (s = member(s, end, key, value)); s = next(s, end)) {
        if (k-- == 0) {
            return true;
        }
    }
    return false;
}

JsonPart json_element(JsonPart array, unsigned k)
{
    const char *end = array.at + array.n, *s = array.at;
    if (!s || *s != '[') {
        return (JsonPart){0};
    }
    for (s = space(s + 1, end); s < end && *s != ']'; s = space(s, end) + 1, s = space(s, end), k--) {
        const char *value = s;
        s = skip_value(s, end, 0);
        if (!s) {
            break;
        }
        if (k == 0) {
            return (JsonPart){value, (size_t)(s - value)};
        }
    }
    return (JsonPart){0};
}

bool json_string(JsonPart p, char *to, size_t n)
{
    if (!p.at || p.n < 2 || *p.at != '"') {
        return false;
    }
    const char *s = p.at + 1, *end = p.at + p.n - 1;
    size_t k = 0;
    for (; s < end && k + 1 < n; s++) {
        if (*s == '\\' && s + 1 < end) {
            static const char from[] = "nrtbf", as[] = "\n\r\t\b\f";
            const char *c = strchr(from, *++s);
            to[k++] = c ? as[c - from] : *s;
        } else {
            to[k++] = *s;
        }
    }
    to[k] = 0;
    return true;
}

bool json_number(JsonPart p, int64_t *to)
{
    char buf[32], *end;
    if (!p.at || p.n >= sizeof buf) {
        return false;
    }
    memcpy(buf, p.at, p.n);
    buf[p.n] = 0;
    *to = *buf == '-' ? strtoll(buf, &end, 10) : (int64_t)strtoull(buf, &end, 10);
    return end != buf && *end == 0;
}

bool json_is_true(JsonPart p)
{
    return p.at && p.n == 4 && !memcmp(p.at, "true", 4);
}

size_t json_quote(const char *s, char *to, size_t n)
{
    size_t k = 0;
    to[k++] = '"';
    for (; *s && k + 8 < n; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            to[k++] = '\\';
            to[k++] = (char)c;
        } else if (c < ' ') {
            k += (size_t)snprintf(to + k, n - k, "\\u%04x", c);
        } else {
            to[k++] = (char)c;
        }
    }
    to[k++] = '"';
    to[k] = 0;
    return k;
}

static void grow(JsonText *t, size_t by)
{
    if (t->n + by + 1 > t->room) {
        t->room = 2 * (t->n + by) + 256;
        t->at = realloc(t->at, t->room);
        if (!t->at) {
            BUG("out of memory");
        }
    }
}

void json_add(JsonText *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    grow(t, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(t->at + t->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

void json_add_string(JsonText *t, const char *s)
{
    size_t room = 6 * strlen(s) + 16;
    grow(t, room);
    t->n += json_quote(s, t->at + t->n, room);
}

void json_add_comma(JsonText *t)
{
    if (t->n && t->at[t->n - 1] != '[' && t->at[t->n - 1] != '{') {
        json_add(t, ", ");
    }
}
