/* qmp_int.h - what the files of the monitor for programs share: qmp.c and qmp_query.c. */
#ifndef ARMX_SOFTMMU_QMP_INT_H
#define ARMX_SOFTMMU_QMP_INT_H

#include "json.h"
#include "monitor_int.h"

/* An answer being written. */
typedef struct Answer {
    Monitor *m;
    JsonPart id;
    bool done;
} Answer;

/* Each command answers once: with JSON (of *t, which is freed), or with an error of one of QEMU's classes. */
void qmp_answer(Answer *a, const char *text);
void qmp_finish(Answer *a, JsonText *t);
void qmp_failed(Answer *a, const char *class, const char *text);

#define QMP(name, function) void qmp_##function(Answer *a, JsonPart args);
#define QMP_SAYS(name, text)
#include "qmp.def"

#endif
