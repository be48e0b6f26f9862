#include "isagen.h"
void write_outputs(Node all, const char *dir, const char *coverage) { (void)all; (void)dir; (void)coverage; }
