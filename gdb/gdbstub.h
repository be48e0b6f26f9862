/* gdbstub.h - the gdb remote protocol over one connection, independent of how threads are stopped.
 *
 * gdb_serve() answers packets until the debugger lets the program go on; what it asks of the program goes
 * through GdbTarget. One thread serves at a time; the caller sees to it that no guest thread runs meanwhile.
 * Nothing that the peer sends may read or write outside the session's buffers (the packet fuzzer drives it).
 */
#ifndef ARMX_GDB_GDBSTUB_H
#define ARMX_GDB_GDBSTUB_H

#include <sys/types.h>

#include "cpu.h"

typedef enum GdbBreak { GDB_BREAK_SOFT, GDB_BREAK_HARD, GDB_WATCH_WRITE, GDB_WATCH_READ, GDB_WATCH_ACCESS } GdbBreak;

typedef struct GdbTarget GdbTarget;
struct GdbTarget {
    /* Guest memory; 0 or -errno. Writes may go to read-only pages (breakpoints of the debugger's own). */
    int (*read)(GdbTarget *g, uint64_t addr, void *buf, size_t n);
    int (*write)(GdbTarget *g, uint64_t addr, const void *buf, size_t n);
    /* Thread ids into out[max]; how many there are. */
    unsigned (*threads)(GdbTarget *g, pid_t *out, unsigned max);
    CpuA64 *(*cpu)(GdbTarget *g, pid_t tid); /* NULL: no such thread */
    /* 0, -errno, or -ENOTSUP for a kind that is not to be had. */
    int (*breakpoint)(GdbTarget *g, bool insert, GdbBreak kind, uint64_t addr, uint64_t len);
    /* The whole auxiliary vector; the program's file name. */
    size_t (*auxv)(GdbTarget *g, void *buf, size_t max);
    const char *(*exec_file)(GdbTarget *g);
    void (*kill)(GdbTarget *g);
    /* A machine without an operating system that we know: no auxv, exec_file, path; all addresses are the guest's own. */
    bool bare;
    bool physical; /* what read and write are asked for (bare; set by Qqemu.PhyMemMode) */
    /* Runs a command that the debugger's user typed after `monitor`: its output into buf. NULL: there are none. */
    void (*command)(GdbTarget *g, char *line, char *buf, size_t size);
    /* Where the program's file of that name is on this machine: path itself or text in buf (PATH_MAX bytes).
     * NULL: there. */
    const char *(*path)(GdbTarget *g, const char *path, char *buf);
};

/* Addresses with a breakpoint. */
enum { GDB_BREAKS = 1024 };
typedef struct GdbBreaks {
    unsigned n;
    uint64_t at[GDB_BREAKS];
} GdbBreaks;
bool gdb_break_at(const GdbBreaks *b, uint64_t pc);
/* Adds (once) or removes pc; 0 or -ENOSPC. */
int gdb_break_set(GdbBreaks *b, bool insert, uint64_t pc);

typedef enum GdbResume { GDB_CONTINUE, GDB_STEP, GDB_DETACH, GDB_KILL, GDB_GONE } GdbResume;

/* What ended gdb_serve(): how the program goes on. */
typedef struct GdbAction {
    GdbResume how;
    pid_t tid;      /* GDB_STEP: the thread that steps; the others go on too unless only_tid */
    bool only_tid;  /* vCont named no default action: other threads stay stopped */
    int signal;     /* Linux signal number to deliver to tid, 0 = none */
} GdbAction;

/* Why the program stopped. */
typedef struct GdbStop {
    pid_t tid;
    int signal;            /* Linux number; SIGTRAP for breakpoints and steps */
    GdbBreak watch;        /* kind of watchpoint that was hit, when watch_addr is nonzero */
    uint64_t watch_addr;
    bool exited;           /* the process has ended with `status` */
    int status;
} GdbStop;

enum { GDB_PACKET_MAX = 16384 };

typedef struct GdbSession {
    int fd;
    GdbTarget *target;
    bool no_ack, swbreak;
    pid_t g_tid; /* thread of register and memory packets */
    pid_t c_tid; /* thread of c and s */
    GdbStop stop;
    unsigned in_len, in_pos;
    unsigned char in[4096];
    unsigned len; /* of the packet being answered */
    char packet[GDB_PACKET_MAX + 1];
    char reply[GDB_PACKET_MAX + 64];
    int file[8]; /* open by vFile, -1 = free */
} GdbSession;

void gdb_session_init(GdbSession *s, int fd, GdbTarget *target);
void gdb_session_end(GdbSession *s);

/* Reports the stop (report = false right after the connection: the debugger asks) and serves until resumed. */
GdbAction gdb_serve(GdbSession *s, const GdbStop *stop, bool report);
/* Tells the debugger that the process has ended. */
void gdb_report_exit(GdbSession *s, int status, int signal);
/* While the program runs: reads what has arrived; true when the debugger wants it to stop (Ctrl-C) or hung up. */
bool gdb_interrupted(GdbSession *s);

/* A socket that listens at "PORT" (loopback TCP) or "unix:PATH"; or -errno. */
int gdb_socket(const char *where);
/* Waits for one debugger and closes the listening socket; a connected socket or -errno. */
int gdb_accept(int fd);
/* Both. */
int gdb_listen(const char *where);

#endif
