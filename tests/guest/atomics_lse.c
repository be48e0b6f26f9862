// atomics_lse.c - C11 atomics by many threads, made from LSE instructions.
// test: secs=60 libs=-latomic armflags=-march=armv8.1-a+lse
#include "atomics.inc"
