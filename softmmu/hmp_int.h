/* hmp_int.h - what the files of the monitor for people share: hmp.c (control), hmp_info.c, hmp_memory.c. */
#ifndef ARMX_SOFTMMU_HMP_INT_H
#define ARMX_SOFTMMU_HMP_INT_H

#include "monitor_int.h"

/* A row of a table of commands: its name, what it takes, what it does; doc "": another name, not listed. */
typedef struct Command {
    const char *name, *args, *doc;
    void (*run)(Monitor *m, char *args);
} Command;

/* The CPU that registers and memory are about. */
extern unsigned hmp_cpu;

/* Runs the command that line begins with; false: there is none in the table. */
bool hmp_run_from(Monitor *m, const Command *table, unsigned n, char *line);
/* The next word of *args, cut off there; NULL: there is none. */
char *hmp_word(char **args);

/* hmp_info.c */
void cmd_info(Monitor *m, char *args);
/* hmp_memory.c */
void cmd_print(Monitor *m, char *args);
void cmd_x(Monitor *m, char *args);
void cmd_xp(Monitor *m, char *args);
void cmd_memsave(Monitor *m, char *args);
void cmd_pmemsave(Monitor *m, char *args);
void cmd_gva2gpa(Monitor *m, char *args);
void cmd_sum(Monitor *m, char *args);

#endif
