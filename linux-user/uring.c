/* uring.c - io_uring: requests whose numbers or structures differ between the architectures.
 *
 * The guest writes its requests (SQEs, 64 bytes each) into memory that it shares with the host's kernel, which reads
 * them during io_uring_enter and copies at once what they point to. So those that differ are rewritten in place before the
 * call, and put back after it, because the guest may submit them again: open flags, epoll_event, paths below -L, armx's own
 * descriptors. Nothing is done for rings without such requests. A kernel thread that reads requests at any time
 * (IORING_SETUP_SQPOLL) leaves no such moment: refused with EPERM, as kernels did for users without privilege.
 *
 * A ring is known by the inode of its descriptor since io_uring_setup; the guest's mappings of it are found in the table of
 * mappings. Descriptors registered with the ring (IORING_REGISTER_RING_FDS) are numbers of the thread's own.
 *
 * Locks: `lock` guards the table of rings.
 */
#include "log.h"
#include "sys.h"
#include "vma.h"

enum { SETUP_SQPOLL = 2, SETUP_SQE128 = 1 << 10, SETUP_NO_MMAP = 1 << 14, SETUP_REGISTERED_ONLY = 1 << 15,
       SETUP_NO_SQARRAY = 1 << 16, ENTER_GETEVENTS = 1, ENTER_REGISTERED = 16 };
enum { REGISTER_RING_FDS = 20, UNREGISTER_RING_FDS = 21, REGISTER_RESIZE = 33, WITH_REGISTERED = 1u << 31 };
enum { OP_OPENAT = 18, OP_CLOSE = 19, OP_STATX = 21, OP_OPENAT2 = 28, OP_EPOLL_CTL = 29, OP_EPOLL_WAIT = 59, OP_PIPE = 62 };
enum { RINGS = 1024, BATCH = 32 };
#define SQES_OFFSET 0x10000000ull

typedef struct Sqe {
    uint8_t opcode, flags;
    uint16_t ioprio;
    int32_t fd;
    uint64_t off, addr;
    uint32_t len, op_flags;
    uint64_t rest[4];
} Sqe;
_Static_assert(sizeof(Sqe) == 64, "struct io_uring_sqe");

/* struct io_uring_params */
typedef struct Params {
    uint32_t sq_entries, cq_entries, flags, cpu, idle, features, wq_fd, resv[3];
    struct {
        uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, resv;
        uint64_t user_addr;
    } sq, cq;
} Params;
_Static_assert(sizeof(Params) == 120, "struct io_uring_params");

typedef struct Ring {
    uint64_t dev, ino;
    uint64_t ring, sqes; /* where the guest had mapped it last */
    Params p;
} Ring;

/* One request that was rewritten. */
typedef struct Change {
    Sqe *at;
    Sqe before, after;
    union {
        uint64_t how[8];
        uint8_t event[12];
    };
    char path[4096];
} Change;

#define CHANGES_SIZE PAGE_UP(BATCH * sizeof(Change))

static Ring rings[RINGS];
static unsigned next_ring;
static Mutex lock;

static bool inode_of(int fd, uint64_t *dev, uint64_t *ino)
{
    uint64_t st[18];
    if (raw_call(__NR_fstat, fd, st) < 0) {
        return false;
    }
    *dev = st[0] + 1; /* as in the table of mappings */
    *ino = st[1];
    return true;
}

int64_t sys_io_uring_setup(Thread *t, uint64_t a[6])
{
    Params p;
    if (get_user(&p, a[1], sizeof p) == 0 && p.flags & (SETUP_SQPOLL | SETUP_REGISTERED_ONLY)) {
        if (log_on(LOG_unimp)) {
            log_printf("io_uring_setup flags 0x%x refused\n", p.flags);
        }
        return p.flags & SETUP_SQPOLL ? -EPERM : -EINVAL;
    }
    engine_share(process.engine); /* with threads of the kernel */
    int64_t fd = sys_host6(t, __NR_io_uring_setup, a);
    Ring r = {0};
    if (fd >= 0 && get_user(&r.p, a[1], sizeof r.p) == 0 && inode_of((int)fd, &r.dev, &r.ino)) {
        mutex_lock(&lock);
        rings[next_ring++ % RINGS] = r;
        mutex_unlock(&lock);
    }
    return fd;
}

int64_t sys_io_uring_register(Thread *t, uint64_t a[6])
{
    uint32_t op = (uint32_t)a[1] & ~WITH_REGISTERED;
    struct {
        uint32_t index, resv;
        uint64_t fd;
    } update[LEN(t->uring)];
    unsigned n = (uint32_t)a[3] < LEN(update) ? (uint32_t)a[3] : LEN(update);
    uint64_t dev, ino[LEN(update)] = {0};
    if (op == REGISTER_RESIZE) {
        return -EINVAL; /* as before it was added */
    }
    bool fds = op == REGISTER_RING_FDS && get_user(update, a[2], n * sizeof *update) == 0;
    for (unsigned k = 0; fds && k < n; k++) {
        inode_of((int)update[k].fd, &dev, &ino[k]);
    }
    int64_t r = sys_host6(t, __NR_io_uring_register, a);
    if (fds && r > 0 && get_user(update, a[2], n * sizeof *update) == 0) {
        for (unsigned k = 0; k < n && k < (uint64_t)r; k++) {
            t->uring[update[k].index % LEN(t->uring)] = ino[k];
        }
    }
    return r;
}

/* The ring of a descriptor, or of the thread's registered one. Lock held. */
static Ring *find_ring(const Thread *t, uint64_t fd, uint32_t flags)
{
    uint64_t dev = 0, ino = 0;
    bool any_dev = flags & ENTER_REGISTERED;
    if (any_dev) {
        ino = fd < LEN(t->uring) ? t->uring[fd] : 0;
    } else if (!inode_of((int)fd, &dev, &ino)) {
        return NULL;
    }
    for (Ring *r = rings; ino && r < rings + RINGS && r < rings + next_ring; r++) {
        if (r->ino == ino && (any_dev || r->dev == dev)) {
            return r;
        }
    }
    return NULL;
}

static bool is_at(const Ring *r, uint64_t address, uint64_t offset)
{
    VmaInfo v;
    return address && vma_find(address, &v) && v.ino == r->ino && v.dev == r->dev && v.start == address && v.offset == offset;
}

/* Finds where the guest has mapped the ring and its requests. Lock held. */
static bool places(Ring *r)
{
    if (r->p.flags & SETUP_NO_MMAP) {
        r->ring = r->p.cq.user_addr;
        r->sqes = r->p.sq.user_addr;
        return true;
    }
    if (is_at(r, r->ring, 0) && is_at(r, r->sqes, SQES_OFFSET)) {
        return true;
    }
    VmaInfo v;
    r->ring = r->sqes = 0;
    for (uint64_t at = 0; !(r->ring && r->sqes) && vma_next(at, &v); at = v.end) {
        if (v.ino == r->ino && v.dev == r->dev && v.offset == 0) {
            r->ring = v.start;
        } else if (v.ino == r->ino && v.dev == r->dev && v.offset == SQES_OFFSET) {
            r->sqes = v.start;
        }
    }
    return r->ring && r->sqes;
}

/* The request as the host wants it, in c->after; false when it is the same. */
static bool convert(Change *c)
{
    Sqe *s = &c->after;
    struct {
        uint32_t events, pad;
        uint64_t data;
    } event;
    switch (s->opcode) {
    case OP_OPENAT:
        s->op_flags = (uint32_t)open_flags_to_host(s->op_flags);
        sys_path(&s->addr, c->path);
        break;
    case OP_OPENAT2:
        if (s->len < 24 || s->len > sizeof c->how || get_user(c->how, s->off, s->len) < 0) {
            return false;
        }
        c->how[0] = open_flags_to_host(c->how[0]);
        s->off = (uint64_t)c->how;
        if (!c->how[2]) { /* resolve */
            sys_path(&s->addr, c->path);
        }
        break;
    case OP_STATX:
        sys_path(&s->addr, c->path);
        break;
    case OP_CLOSE:
        s->fd = sys_fd_is_ours((uint32_t)s->fd) ? -1 : s->fd;
        break;
    case OP_EPOLL_CTL:
        if (!s->addr || get_user(&event, s->addr, sizeof event) < 0) {
            return false;
        }
        memcpy(c->event, &event.events, 4);
        memcpy(c->event + 4, &event.data, 8);
        s->addr = (uint64_t)c->event;
        break;
    case OP_EPOLL_WAIT: /* its events are written later, in the host's layout: as before it was added */
        s->opcode = 255;
        break;
    case OP_PIPE:
        s->op_flags = (uint32_t)open_flags_to_host(s->op_flags);
        break;
    default:
        return false;
    }
    return memcmp(&c->before, s, sizeof *s) != 0;
}

static int put_request(Sqe *to, const Sqe *s)
{
    return put_user((uint64_t)to, s, sizeof *s);
}

static bool may_differ(uint8_t opcode)
{
    return opcode == OP_OPENAT || opcode == OP_OPENAT2 || opcode == OP_EPOLL_CTL || opcode == OP_CLOSE || opcode == OP_STATX ||
           opcode >= OP_EPOLL_WAIT;
}

/* The place of the i-th request after `head`, and its opcode; NULL at a bad address. */
static Sqe *request(const Ring *r, uint32_t head, uint32_t i, uint8_t *opcode)
{
    uint32_t mask = r->p.sq_entries - 1, index = (head + i) & mask;
    if (!(r->p.flags & SETUP_NO_SQARRAY) && get_user(&index, r->ring + r->p.sq.array + 4 * index, 4) < 0) {
        return NULL;
    }
    uint64_t s = r->sqes + ((uint64_t)(index & mask) << (r->p.flags & SETUP_SQE128 ? 7 : 6));
    return get_user(opcode, s, 1) < 0 ? NULL : (Sqe *)s;
}

/* Rewrites what differs among the next *submit requests, up to BATCH; *submit becomes less when there are more. Memory for
 * the changes is mapped when there is one. */
static unsigned rewrite(const Ring *r, uint32_t *submit, Change **changes)
{
    unsigned done = 0;
    uint32_t head, tail;
    uint8_t opcode;
    if (get_user(&head, r->ring + r->p.sq.head, 4) < 0 || get_user(&tail, r->ring + r->p.sq.tail, 4) < 0) {
        return 0;
    }
    uint32_t n = tail - head < *submit ? tail - head : *submit;
    for (uint32_t i = 0; i < n && i < r->p.sq_entries; i++) {
        Sqe *s = request(r, head, i, &opcode);
        if (!s || !may_differ(opcode)) {
            continue;
        }
        if (!*changes) {
            int64_t m = raw_call(__NR_mmap, 0, CHANGES_SIZE, 3, 0x22, -1, 0);
            *changes = m < 0 && m > -4096 ? NULL : (Change *)m;
        }
        if (done == BATCH || !*changes) {
            *submit = i;
            break;
        }
        Change *c = &(*changes)[done];
        if (get_user(&c->before, (uint64_t)s, sizeof *s) == 0) {
            c->at = s;
            c->after = c->before;
            done += convert(c) && put_request(s, &c->after) == 0;
        }
    }
    return done;
}

/* Puts the guest's requests back where they still stand as they were given to the kernel. */
static void put_back(Change *changes, unsigned n)
{
    Sqe now;
    for (unsigned k = 0; k < n; k++) {
        if (get_user(&now, (uint64_t)changes[k].at, sizeof now) == 0 && memcmp(&now, &changes[k].after, sizeof now) == 0) {
            put_request(changes[k].at, &changes[k].before);
        }
    }
}

/* Submits with the changed requests; then, as a call of its own, waits. */
static int64_t enter_changed(Thread *t, uint64_t a[6], uint32_t submit, Change *changes, unsigned n)
{
    uint64_t first[6] = {a[0], submit, 0, a[3] & ENTER_REGISTERED, 0, 0}, then[6] = {a[0], 0, a[2], a[3], a[4], a[5]};
    int64_t made = sys_host6(t, __NR_io_uring_enter, first);
    put_back(changes, n);
    if (made < 0 || !(a[3] & ENTER_GETEVENTS) || made < submit) {
        return made;
    }
    int64_t r = sys_host6(t, __NR_io_uring_enter, then);
    return made ? made : r;
}

int64_t sys_io_uring_enter(Thread *t, uint64_t a[6])
{
    uint32_t submit = (uint32_t)a[1];
    Change *changes = NULL;
    Ring here;
    if (!submit) {
        return sys_host6(t, __NR_io_uring_enter, a);
    }
    mutex_lock(&lock);
    Ring *r = find_ring(t, a[0], (uint32_t)a[3]);
    bool known = r && places(r);
    if (known) {
        here = *r;
    }
    mutex_unlock(&lock);
    unsigned n = known ? rewrite(&here, &submit, &changes) : 0;
    int64_t ret = n ? enter_changed(t, a, submit, changes, n) : sys_host6(t, __NR_io_uring_enter, a);
    if (changes) {
        raw_call(__NR_munmap, changes, CHANGES_SIZE);
    }
    return ret;
}
