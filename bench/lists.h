/* `perron-bench lists`: a row of the table in main.c. */
#ifndef BENCH_LISTS_H
#define BENCH_LISTS_H

int bench_lists(int argc, char **argv);

#endif
