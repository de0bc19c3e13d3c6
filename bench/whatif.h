/* `perron-bench what-if`: a row of the table in main.c. */
#ifndef BENCH_WHATIF_H
#define BENCH_WHATIF_H

int bench_whatif(int argc, char **argv);

#endif
