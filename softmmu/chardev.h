/* chardev.h - where characters go to and come from: the terminal, a pty, a file, a socket, nothing.
 *
 * A backend has one user (a serial port, the monitor), or with mux up to four, of which one has the keyboard.
 * Writing never blocks: what the other side does not take yet is kept, and chardev_full says when it is much.
 * Input is read on the I/O thread and handed over as far as the user has room.
 */
#ifndef ARMX_SOFTMMU_CHARDEV_H
#define ARMX_SOFTMMU_CHARDEV_H

#include "event.h"
#include "options.h"

typedef struct Chardev Chardev;

typedef enum CharEvent { CHAR_OPENED, CHAR_CLOSED, CHAR_BREAK, CHAR_FOCUS } CharEvent;

/* What a user gives. All are called on the I/O thread; each may be NULL. */
typedef struct CharUser {
    unsigned (*room)(void *dev);                              /* how many bytes it takes now; NULL = any number */
    void (*receive)(void *dev, const uint8_t *at, unsigned n); /* n <= room */
    void (*drained)(void *dev);                               /* was full, is not any more */
    void (*event)(void *dev, CharEvent what);
} CharUser;

/* A user's end of a backend; chardev NULL = not connected: written bytes vanish. */
typedef struct CharEnd {
    Chardev *chardev;
    unsigned user;
} CharEnd;

/* Makes the backend of a -chardev option, or of the word of -serial and -monitor ("stdio", "mon:stdio", "pty", "file:F",
 * "tcp:...", "chardev:ID", "null", "none"; option: which, for messages). NULL with *why said: a line for the user, without a
 * newline. "none" gives NULL with an empty line. */
Chardev *chardev_from_options(EventLoop *l, OptList *o, char *why, size_t n);
Chardev *chardev_from_word(EventLoop *l, const char *option, const char *word, const char *id, char *why, size_t n);
Chardev *chardev_find(const char *id);
/* Calls fn for each backend that -chardev knows. */
void chardev_each_backend(void (*fn)(void *arg, const char *name), void *arg);
/* used: there is a serial port, a monitor or the like on it. */
void chardev_each(void (*fn)(void *arg, const char *id, const char *where, bool used), void *arg);

enum { CHAR_MEMORY_MAX = 1 << 30 };
/* A ringbuf's bytes: how many were read, or 0 for written; -ENOENT: no such device, -EINVAL: it is no ringbuf. */
int chardev_memory_read(const char *id, uint8_t *to, size_t n);
int chardev_memory_write(const char *id, const uint8_t *from, size_t n);
/* A break, as if the other side had sent it; 0 or -ENOENT. On the I/O thread. */
int chardev_send_break(const char *id);

/* Joins a user; false when the backend has one and is no mux. */
bool chardev_attach(Chardev *c, const CharUser *u, void *dev, CharEnd *end);
bool chardev_is_mux(const Chardev *c);

/* Any thread. */
void chardev_write(const CharEnd *e, const void *from, size_t n);
bool chardev_full(const CharEnd *e);
/* The user has room again. */
void chardev_accept(const CharEnd *e);

/* Writes what is kept, for at most a second, and gives the terminal back. At the end, and from handlers of fatal signals
 * chardev_restore_terminal alone. */
void chardev_finish(void);
void chardev_restore_terminal(void);
/* The process was stopped and goes on (SIGCONT): the terminal was given back meanwhile. */
void chardev_continued(void);

/* The user typed Ctrl-A x. Set by main. */
extern void (*chardev_on_quit)(void);
/* -daemonize: nothing may be on the terminal. */
extern bool chardev_no_terminal;
/* The key of which Ctrl-A is the default (-echr): 1 to 31. */
extern uint8_t chardev_escape;

#endif
