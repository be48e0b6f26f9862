// atomics_llsc.c - C11 atomics by many threads, made from LL/SC loops.
// test: secs=60 libs=-latomic armflags=-mno-outline-atomics
#include "atomics.inc"
