/* coremark.c - the mix of a well-known embedded benchmark, written anew: linked lists, matrices, a state machine over
 * text, CRC over all results. */
#include "k.h"

typedef struct Item {
    struct Item *next;
    int16_t data, index;
} Item;

static uint16_t crc16(uint16_t crc, uint16_t v)
{
    for (int i = 0; i < 16; i++, v >>= 1) {
        crc = (uint16_t)(crc >> 1 ^ ((crc ^ v) & 1 ? 0xa001 : 0));
    }
    return crc;
}

static Item *merge_sort(Item *list, int by_data)
{
    if (!list || !list->next) {
        return list;
    }
    Item *slow = list, *fast = list->next;
    while (fast && fast->next) {
        slow = slow->next;
        fast = fast->next->next;
    }
    Item *b = slow->next, *head = NULL, **tail = &head;
    slow->next = NULL;
    Item *a = merge_sort(list, by_data);
    b = merge_sort(b, by_data);
    while (a && b) {
        Item **less = (by_data ? a->data <= b->data : a->index <= b->index) ? &a : &b;
        *tail = *less;
        tail = &(*less)->next;
        *less = *tail;
    }
    *tail = a ? a : b;
    return head;
}

static uint16_t lists(uint16_t crc, unsigned seed)
{
    static Item items[200];
    for (int i = 0; i < 200; i++) {
        items[i] = (Item){i < 199 ? &items[i + 1] : NULL, (int16_t)((unsigned)i * seed * 131u % 257u), (int16_t)i};
    }
    Item *l = merge_sort(items, 1);
    for (const Item *i = l; i; i = i->next) {
        crc = crc16(crc, (uint16_t)i->data);
    }
    l = merge_sort(l, 0);
    return crc16(crc, (uint16_t)l->next->index);
}

static uint16_t matrices(uint16_t crc, int seed)
{
    enum { N = 20 };
    static int16_t a[N][N], b[N][N];
    static int32_t c[N][N];
    for (int i = 0; i < N * N; i++) {
        a[i / N][i % N] = (int16_t)(i * seed % 97);
        b[i / N][i % N] = (int16_t)(i + seed);
    }
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            int32_t s = 0;
            for (int k = 0; k < N; k++) {
                s += a[i][k] * b[k][j];
            }
            c[i][j] = s >> 2 & 0xffff;
        }
    }
    for (int i = 0; i < N; i++) {
        crc = crc16(crc, (uint16_t)c[i][N - 1 - i]);
    }
    return crc;
}

static uint16_t states(uint16_t crc, unsigned seed)
{
    static const char text[] = "5012,-74,+3.1415,0x1f,1.5e-10,junk,--2,9e,.5,12.34.5,T0.3e-1F,";
    enum { START, SIGN, INT, FRACTION, EXPONENT, BAD, N_STATES } state = START;
    unsigned seen[N_STATES] = {0};
    for (unsigned i = 0; i < 4 * sizeof text; i++) {
        char ch = text[(i + seed) % (sizeof text - 1)];
        int digit = ch >= '0' && ch <= '9';
        if (ch == ',') {
            seen[state]++;
            state = START;
            continue;
        }
        switch (state) {
        case START: state = digit ? INT : ch == '+' || ch == '-' ? SIGN : ch == '.' ? FRACTION : BAD; break;
        case SIGN: state = digit ? INT : ch == '.' ? FRACTION : BAD; break;
        case INT: state = digit ? INT : ch == '.' ? FRACTION : ch == 'e' ? EXPONENT : BAD; break;
        case FRACTION: state = digit ? FRACTION : ch == 'e' ? EXPONENT : BAD; break;
        case EXPONENT: state = digit || ch == '-' ? EXPONENT : BAD; break;
        default: break;
        }
    }
    for (int i = 0; i < N_STATES; i++) {
        crc = crc16(crc, (uint16_t)seen[i]);
    }
    return crc;
}

static uint64_t kernel(long n)
{
    uint16_t crc = 0;
    for (long i = 0; i < n * 1000; i++) {
        crc = lists(crc, (unsigned)i);
        crc = matrices(crc, (int)(i & 15) + 1);
        crc = states(crc, (unsigned)i);
    }
    return crc;
}
