// hello.c - the first program: output, arguments, environment, exit status.
// test: dyn interp args=one,two
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    printf("hello, world\n");
    for (int i = 1; i < argc; i++) {
        printf("argument %d is %s\n", i, argv[i]);
    }
    printf("PATH is %s\n", getenv("PATH") ? "set" : "not set");
    return 42;
}
