/* sandbox.c - -sandbox on[,GROUP=allow|deny]: see sandbox.h, and sandbox.def for what the groups are.
 *
 * A filter of the host kernel's (seccomp) makes denied calls fail with EPERM. clone3 fails with ENOSYS under spawn=deny: a filter
 * cannot see its flags, and the C library then starts threads by clone, whose flags tell threads from processes.
 */
#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OBSOLETE = 1, ELEVATE = 2, SPAWN = 4, RESOURCE = 8 };

static const struct {
    unsigned group;
    uint32_t nr;
} calls[] = {
#define CALL(group, name) {group, SYS_##name},
#include "sandbox.def"
#undef CALL
};

static const struct {
    const char *key;
    unsigned group;
    bool denied; /* unless told */
} groups[] = {{"obsolete", OBSOLETE, true}, {"elevateprivileges", ELEVATE, false}, {"spawn", SPAWN, false}, {"resourcecontrol", RESOURCE, false}};

typedef struct Program {
    struct sock_filter at[LEN(calls) * 2 + 20];
    unsigned short n;
} Program;

static void add(Program *p, struct sock_filter f)
{
    ASSERT(p->n < LEN(p->at));
    p->at[p->n++] = f;
}

static void load(Program *p, size_t offset)
{
    add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The call whose number was loaded: fails with `error`. */
static void deny(Program *p, uint32_t nr, uint32_t error)
{
    add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
    add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
}

static void install(unsigned denied)
{
    Program p = {.n = 0};
    load(&p, offsetof(struct seccomp_data, arch));
    add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
    add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    load(&p, offsetof(struct seccomp_data, nr));
    add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1)); /* x32 */
    add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    for (unsigned k = 0; k < LEN(calls); k++) {
        if (calls[k].group & denied) {
            deny(&p, calls[k].nr, EPERM);
        }
    }
    if (denied & SPAWN) {
        deny(&p, SYS_clone3, ENOSYS);
        add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3));
        load(&p, offsetof(struct seccomp_data, args[0]));
        add(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
        add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    }
    add(&p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    struct sock_fprog prog = {.len = p.n, .filter = p.at};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) != 0) {
        die("-sandbox: the host's kernel does not take the filter: %s", strerror(errno));
    }
}

void sandbox_enter(const OptLists *sandbox)
{
    unsigned denied = 0;
    bool on = false;
    for (unsigned n = 0; n < sandbox->n; n++) {
        OptList *l = &sandbox->at[n];
        on = opt_take_bool(l, "enable", on);
        for (unsigned k = 0; k < LEN(groups); k++) {
            const char *v = opt_take(l, groups[k].key);
            if (v && strcmp(v, "allow") && strcmp(v, "deny") && !(groups[k].group == ELEVATE && !strcmp(v, "children"))) {
                die("-sandbox %s: %s is allow or deny", l->text, groups[k].key);
            }
            denied |= (v ? !strcmp(v, "deny") : groups[k].denied) ? groups[k].group : 0;
        }
        opt_rest(l);
    }
    if (on) {
        install(denied);
    }
}
