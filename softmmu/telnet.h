/* telnet.h - the protocol of RFC 854 around a stream of characters, with options ECHO (857), SGA (858) and BINARY (856).
 *
 * This side says at the start that it echoes, never says go-ahead, and sends and takes all 256 values. Other options are refused.
 */
#ifndef ARMX_SOFTMMU_TELNET_H
#define ARMX_SOFTMMU_TELNET_H

#include "base.h"

enum { TELNET_IAC = 255, TELNET_GREETING = 12, TELNET_ANSWER = 3 };

typedef struct Telnet {
    uint8_t state, verb;
    bool binary; /* what comes is all data: no CR NUL */
} Telnet;

typedef enum TelnetByte { TELNET_DATA, TELNET_NOTHING, TELNET_BREAK, TELNET_REPLY } TelnetByte;

/* A connection begins; what to send to the other side first. */
const uint8_t *telnet_begin(Telnet *t);
/* One byte that came: whether it is data, nothing, a break, or wants `answer` sent. */
TelnetByte telnet_take(Telnet *t, uint8_t byte, uint8_t answer[TELNET_ANSWER]);

#endif
