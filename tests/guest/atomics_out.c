// atomics_out.c - C11 atomics by many threads, made from helpers that choose at run time.
// test: secs=60 libs=-latomic armflags=-moutline-atomics
#include "atomics.inc"
