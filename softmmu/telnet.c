/* telnet.c - see telnet.h. */
#include "telnet.h"

/* RFC 854, "TELNET commands". */
enum { SE = 240, BREAK = 243, SB = 250, WILL = 251, WONT, DO, DONT };
enum { BINARY = 0, ECHO = 1, SGA = 3 };
enum { TEXT, AFTER_CR, COMMAND, OPTION, INSIDE, INSIDE_COMMAND };

const uint8_t *telnet_begin(Telnet *t)
{
    static const uint8_t greeting[TELNET_GREETING] = {TELNET_IAC, WILL, ECHO,   TELNET_IAC, WILL, SGA,
                                                      TELNET_IAC, WILL, BINARY, TELNET_IAC, DO,   BINARY};
    *t = (Telnet){.state = TEXT};
    return greeting;
}

/* Only what asks for something that is not so yet is answered, so that two sides never go on answering each other. */
static TelnetByte option(Telnet *t, uint8_t which, uint8_t *answer)
{
    bool ours = which == BINARY || which == ECHO || which == SGA;
    t->binary = which == BINARY && (t->verb == WILL || t->verb == WONT) ? t->verb == WILL : t->binary;
    if ((t->verb == DO && !ours) || (t->verb == WILL && which != BINARY)) {
        answer[0] = TELNET_IAC;
        answer[1] = t->verb == DO ? WONT : which == SGA ? DO : DONT;
        answer[2] = which;
        return TELNET_REPLY;
    }
    return TELNET_NOTHING;
}

TelnetByte telnet_take(Telnet *t, uint8_t byte, uint8_t answer[TELNET_ANSWER])
{
    uint8_t was = t->state;
    t->state = TEXT;
    switch (was) {
    case COMMAND:
        if (byte == TELNET_IAC) {
            return TELNET_DATA;
        }
        t->verb = byte;
        t->state = byte == SB ? INSIDE : byte > SB ? OPTION : TEXT;
        return byte == BREAK ? TELNET_BREAK : TELNET_NOTHING;
    case OPTION:
        return option(t, byte, answer);
    case INSIDE: /* up to IAC SE */
    case INSIDE_COMMAND:
        t->state = was == INSIDE ? (byte == TELNET_IAC ? INSIDE_COMMAND : INSIDE) : (byte == SE ? TEXT : INSIDE);
        return TELNET_NOTHING;
    default:
        if (byte == TELNET_IAC) {
            t->state = COMMAND;
            return TELNET_NOTHING;
        }
        t->state = byte == '\r' && !t->binary ? AFTER_CR : TEXT;
        return was == AFTER_CR && !byte ? TELNET_NOTHING : TELNET_DATA;
    }
}
